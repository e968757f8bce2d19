"""A model with a projector reads LangChain's pictures; one without, and a wrong projector, is told in one line.

The projector's weights are drawn at random (tests/projectors.py): what is said about a picture means nothing.
"""

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ContextOverflowError, ModelInvalidRequestError, ModelNotFoundError
from langchain_core.messages import HumanMessage, SystemMessage

import backends
from backends import llamacpp
from settings import Settings
from tests.conftest import GGUF
from tests.projectors import block, make_projector, needs_mtmd, picture

RED, BLUE = picture("red", "white"), picture("blue", "black", "yellow")
WIDTH = 320  # of the shipped model


@pytest.fixture(scope="module")
def projector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_projector(tmp_path_factory.mktemp("eyes") / "mmproj-eyes.gguf", WIDTH)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings with these variables of the backend's own."""

    def read(**variables: object) -> Settings:
        for name, value in {"model": GGUF, "threads": 1, "cache_mb": 0, **variables}.items():
            monkeypatch.setenv(f"LLAMACPP_{name.upper()}", str(value))
        return Settings.read()

    return read


def ask(*parts: Any) -> HumanMessage:
    return HumanMessage([{"type": "text", "text": part} if isinstance(part, str) else part for part in parts])


@needs_mtmd
def test_a_picture_stands_where_it_was_sent_and_changes_the_reply(use: Any, projector: Path) -> None:
    model: Any = llamacpp.build(use(mmproj=projector))
    try:
        assert model.profile["image_inputs"] is True
        said: dict[str, Any] = {"temperature": 0.0, "max_tokens": 20}
        replies = [model.invoke([ask(block(data), "What is this?")], **said) for data in (RED, BLUE, RED)]
        assert replies[0].text == replies[2].text != replies[1].text
        alone = model.invoke("What is this?", **said)
        seen = replies[0].usage_metadata["input_tokens"]
        assert seen - alone.usage_metadata["input_tokens"] in {16, 17}  # 4 x 4 patches, and the end of a line
        assert model.get_num_tokens_from_messages([ask(block(data=RED), "What is this?")]) == seen
        assert model.invoke([ask("What is this?", block(RED))], **said).text != replies[0].text
        address = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(RED).decode()}"}}
        of_anthropic = {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                                    "data": base64.b64encode(RED).decode()}}  # fmt: skip
        for form in (address, of_anthropic):
            assert model.invoke([ask(form, "What is this?")], **said).text == replies[0].text
        assert model.engine.sight.projector.encoded == 2  # the shipped two, once each
        with pytest.raises(ContextOverflowError, match="The prompt has"):
            model.invoke([ask(*[block(RED)] * 70)])
    finally:
        model.close()


@needs_mtmd
def test_what_is_no_picture_is_one_line(use: Any, projector: Path) -> None:
    model: Any = llamacpp.build(use(mmproj=projector))
    cases = {
        "is named by an address .https://example.org/a.png.: send it as base64": {
            "type": "image",
            "url": "https://example.org/a.png",
        },
        "is no PNG, JPEG or WebP": block(b"GIF89a or something else"),
        "cannot be unpacked": block(picture("red", size=(400, 300))[:300]),
        "is no base64": {"type": "image", "base64": "%%%", "mime_type": "image/png"},
        "has no bytes": {"type": "image", "file_id": "file-1"},
        "reads text only; the message holds 'audio'": {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"},
    }
    try:
        for told, part in cases.items():
            with pytest.raises(ModelInvalidRequestError, match=told) as raised:
                model.invoke([ask(part, "What is this?")])
            assert "\n" not in str(raised.value)
        assert model.engine.sampled_tokens == 0
        typed = "\ufdd00.0\ufdd1 what somebody typed is text"
        assert model.invoke([SystemMessage(typed), ask(block(RED), typed)], max_tokens=3).text is not None
    finally:
        model.close()


def test_a_model_without_a_projector_names_the_variable(use: Any) -> None:
    settings = use()
    assert "LLAMACPP_MMPROJ" in str(llamacpp.vision_error(settings))
    model: Any = llamacpp.build(settings)
    try:
        assert model.profile["image_inputs"] is False
        with pytest.raises(ModelInvalidRequestError, match=r"cannot see pictures: .*LLAMACPP_MMPROJ") as raised:
            model.invoke([ask(block(RED), "What is this?")])
        assert "\n" not in str(raised.value)
        assert model.engine.prefilled_tokens == 0
    finally:
        model.close()


@needs_mtmd
def test_a_wrong_projector_is_one_line(use: Any, projector: Path, tmp_path: Path) -> None:
    wide = make_projector(tmp_path / "wide.gguf", 576)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(projector.read_bytes()[:-1000])
    text = tmp_path / "text.gguf"
    text.write_text("<!DOCTYPE html>")
    for file, told in {wide: "is no projector of .*: its pictures are of another width", cut: "is cut short",
                       text: "a web page", GGUF: "is no projector but a model",
                       tmp_path / "gone.gguf": "cannot be read"}.items():  # fmt: skip
        settings = use(mmproj=file)
        with pytest.raises(ModelNotFoundError, match=told) as raised:
            llamacpp.build(settings)
        assert str(file) in str(raised.value)
        assert "\n" not in str(raised.value)
        if file != wide:
            assert str(backends.availability_error("llamacpp", settings)).startswith(f"LLAMACPP_MMPROJ={file}")


@needs_mtmd
def test_the_projector_beside_a_model_is_found_unless_it_is_anothers(use: Any, projector: Path, tmp_path: Path) -> None:
    model = Path(shutil.copy(GGUF, tmp_path / "eyes-10m-Q8_0.gguf"))
    other = shutil.copy(projector, tmp_path / "mmproj-gemma-3-4b-it-f16.gguf")
    assert llamacpp.projector_path(use(model=model)) is None
    found = Path(shutil.copy(projector, tmp_path / "mmproj-eyes-F16.gguf"))
    assert llamacpp.projector_path(use(model=model)) == found
    assert llamacpp.vision_error(use(model=model)) is None
    assert str(found) in llamacpp.model_key(use(model=model))
    assert llamacpp.needed_memory(use(model=model)) > llamacpp.needed_memory(use(model=model, mmproj="none"))
    assert "cannot see pictures" in str(llamacpp.vision_error(use(model=model, mmproj="none")))
    make_projector(found, 576)  # of another width: the model answers without it
    Path(other).unlink()
    built: Any = llamacpp.build(use(model=model, mmproj=""))
    try:
        assert "another width" in str(built.engine.blindness)
        assert built.invoke("Hello", max_tokens=3).text is not None
    finally:
        built.close()
