"""Model servers: one shared client per endpoint and key, and one `Model.respond`. The only folder that imports openai.

Everything runs on POST /v1/responses, or on chat completions where a server has nothing else. The offline and scripted
assistants are ASGI apps behind the same client, so a notebook without a key runs the same code as one with.
"""

from openai import AsyncOpenAI

from intercom_nb.models.client import ClientOptions
from intercom_nb.models.model import Model, Models, default_model
from intercom_nb.models.recording.answered import AnsweredModels
from intercom_nb.models.recording.from_environment import check_nothing_recorded, plays_by_environment
from intercom_nb.models.recording.recorded import Call as RecordedCall
from intercom_nb.models.recording.recorded import calls_between
from intercom_nb.models.recording.replies import reply_of
from intercom_nb.models.recording.tape import ALL_MAIL, Tape
from intercom_nb.models.server_of_dotenv import refusal_of_server
from intercom_nb.models.values import (
    OFFLINE_MODEL,
    OPENAI_URL,
    Assistant,
    Delta,
    ModelChoice,
    Origin,
    Reply,
    Usage,
    model_text,
    without_credentials,
)

__all__ = [
    "ALL_MAIL",
    "OFFLINE_MODEL",
    "OPENAI_URL",
    "AnsweredModels",
    "Assistant",
    "AsyncOpenAI",
    "ClientOptions",
    "Delta",
    "Model",
    "ModelChoice",
    "Models",
    "Origin",
    "RecordedCall",
    "Reply",
    "Tape",
    "Usage",
    "calls_between",
    "check_nothing_recorded",
    "default_model",
    "model_text",
    "plays_by_environment",
    "refusal_of_server",
    "reply_of",
    "without_credentials",
]
