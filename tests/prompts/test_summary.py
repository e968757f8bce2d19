"""The texts around a summary, and the one a person sends to have one."""

from string import Formatter

from prompts import handover, summary


def test_the_instruction_has_one_blank_to_fill() -> None:
    text = summary.instruction()
    assert [name for _, name, _, _ in Formatter().parse(text) if name] == ["words"]
    assert "\n" not in text


def test_a_summary_is_introduced_and_left_as_it_is() -> None:
    made = "Tom has {two} cats.\n\nHe asks <b>why</b>."
    introduction, _, rest = summary.introduce(made).partition("\n")
    assert rest == made
    assert introduction.startswith("Summary of the conversation so far")
    assert introduction in summary.FILE.read_text()


def test_handing_over_is_one_message_that_can_be_sent() -> None:
    text = handover.handover_prompt()
    assert text == handover.FILE.read_text().strip()
    assert 0 < len(text) < 1000
    assert "\n" not in text
