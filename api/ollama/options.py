"""The `options` of a request: those that do something, those that no answer depends on, and those refused by name.

Knows names and numbers; no route.
"""

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from api.http.open_model import OpenRequest, add_schemas
from api.http.refused import NoEffect, Refused, Table
from api.http.sampling import SamplingParams

USUAL_LAST_N = 64  # tokens that Ollama's penalty looks at where nobody says it
# What concerns the machine, and the window: the server's own is as long as it is.
MACHINE = (
    *("f16_kv", "low_vram", "main_gpu", "num_batch", "num_ctx", "num_gpu", "num_gqa", "num_keep", "num_thread"),
    *("numa", "rope_frequency_base", "rope_frequency_scale", "use_mlock", "use_mmap", "embedding_only"),
    *("draft_num_predict", "mirostat_eta", "mirostat_tau", "penalize_newline"),
)
TABLE: Table = {
    **dict.fromkeys(MACHINE, NoEffect()),
    "logits_all": Refused((False,)),
    "mirostat": Refused((0,)),
    "tfs_z": Refused((1,)),
    "typical_p": Refused((1, 0)),
    "vocab_only": Refused((False,)),
}


class Options(SamplingParams, OpenRequest):
    """How a reply is sampled, and how long it may be."""

    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=add_schemas)
    table: ClassVar[Table] = TABLE
    documented: ClassVar[Table] = TABLE

    num_predict: Annotated[int, Field(ge=-2, le=2**31 - 1)] | None = Field(
        None, description="the longest reply in tokens; -1 and -2: what the prompt leaves of the window"
    )
    repeat_penalty: float | None = Field(
        None, gt=0, le=2, description="above 1 discourages the last repeat_last_n tokens, 64 unless given"
    )

    def options(self) -> dict[str, Any]:
        """The chain's options."""
        found = super().options()
        if self.num_predict is not None and self.num_predict > 0:
            found["max_tokens"] = self.num_predict
        if self.repeat_penalty is not None:
            found["repetition_penalty"] = self.repeat_penalty
            if self.repeat_penalty != 1:
                found.setdefault("repeat_last_n", USUAL_LAST_N)
        if self.seed == -1:
            found.pop("seed")
        return found
