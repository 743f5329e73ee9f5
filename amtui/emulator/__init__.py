"""A terminal screen that equals tmux: pyte's classes and API, tmux's semantics. Knows no Textual."""
