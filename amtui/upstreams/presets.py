"""Upstreams that need no address from the user.

The wires are those that the vendor documents; `probe` tells the truth.
"""

from __future__ import annotations

from typing import Final

from amtui.model import Wire
from amtui.upstreams.base import Upstream

_MESSAGES, _RESPONSES, _CHAT = Wire.MESSAGES, Wire.RESPONSES, Wire.CHAT

_ALL: Final = (
    Upstream(
        id="anthropic",
        title="Anthropic",
        wires=(_MESSAGES,),
        base_url="https://api.anthropic.com",
        key_env="ANTHROPIC_API_KEY",
        preset=True,
    ),
    Upstream(
        id="openai",
        title="OpenAI",
        wires=(_RESPONSES, _CHAT),
        base_url="https://api.openai.com",
        key_env="OPENAI_API_KEY",
        preset=True,
    ),
    Upstream(
        id="openrouter",
        title="OpenRouter",
        wires=(_MESSAGES, _RESPONSES, _CHAT),
        base_url="https://openrouter.ai/api",
        key_env="OPENROUTER_API_KEY",
        preset=True,
    ),
    Upstream(
        id="dedalus",
        title="Dedalus router",
        wires=(_CHAT,),
        base_url="https://api.dedaluslabs.ai",
        # Not DEDALUS_API_KEY: that one opens the substrate and never leaves the operator's computer.
        key_env="DEDALUS_ROUTER_KEY",
        preset=True,
    ),
    Upstream(
        id="vercel-gateway",
        title="Vercel AI Gateway",
        wires=(_MESSAGES, _RESPONSES, _CHAT),
        base_url="https://ai-gateway.vercel.sh",
        key_env="AI_GATEWAY_API_KEY",
        preset=True,
    ),
    Upstream(
        id="google",
        title="Google (OpenAI-compatible)",
        wires=(_CHAT,),
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        version_path="",
        key_env="GEMINI_API_KEY",
        preset=True,
    ),
    Upstream(
        id="ollama",
        title="Ollama on this host",
        wires=(_MESSAGES, _RESPONSES, _CHAT),
        base_url="http://127.0.0.1:11434",
        key_env="",
        preset=True,
    ),
    Upstream(
        id="llamacpp",
        title="llama.cpp server on this host",
        wires=(_MESSAGES, _CHAT),
        base_url="http://127.0.0.1:8080",
        key_env="",
        preset=True,
    ),
    Upstream(
        id="vllm",
        title="vLLM on this host",
        wires=(_RESPONSES, _CHAT),
        base_url="http://127.0.0.1:8000",
        key_env="",
        preset=True,
    ),
)

PRESETS: Final[dict[str, Upstream]] = {upstream.id: upstream for upstream in _ALL}
"""By id, in the order in which a form offers them."""
