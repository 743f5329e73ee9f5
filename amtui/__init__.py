"""amtui: the terminal control plane for fleets of AI-agent workers.

Imports nothing: every command pays for what stands here.
"""

__version__ = "0.1.0"
