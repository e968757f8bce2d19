"""The rules by which replies count: right and wrong ones of each kind."""

import pytest

from benchmarks.answers.judge import fits_opening, has_answer, is_echo, is_stammer
from benchmarks.answers.parts import openings

FITTING = [
    ("Hi!", "Hello! How are you today?"),
    ("Hello, how are you?", "I am doing well, thank you for asking."),
    ("Good morning!", "Good morning! Did you sleep well?"),
    ("What's your name?", "I don't have a real name, I'm just a small assistant."),
    ("How old are you?", "I’m just a program, so I don’t have a birthday."),
    ("Where are you from?", "I live inside your computer. Where do you live?"),
    ("Tell me a joke.", "What did one wall say to the other wall? I'll meet you at the corner!"),
    ("I'm so tired today.", "You should get some rest. Did you have a long day?"),
    ("I feel sad today.", "I'm sorry to hear that. Do you want to talk about it?"),
    ("I just got a new job!", "That's great news, well done!"),
    ("It's my birthday today.", "Happy birthday! Will there be cake?"),
    ("Do you have any pets?", "I don't have any pets, but I would love a cat."),
    ("What do you do for a living?", "I'm an assistant, so talking is my job."),
    ("What is your favorite food?", "I can't eat, but pizza sounds delicious."),
    ("Do you like music?", "Yes, I love it! What about you?"),
    ("Thank you, that was very kind of you.", "You're welcome!"),
    ("I have to go now, bye!", "Goodbye! It was nice talking to you."),
    ("I can't sleep.", "That's no fun. Is something on your mind?"),
    ("I have a headache.", "Oh no, I'm sorry. Try to take it easy today."),
    ("What are you doing right now?", "Not much, just chatting with you."),
    ("It's raining outside.", "A good day to stay inside with a book."),
    ("Are you a real person?", "No real person here, I'm a small language model."),
    ("I'm bored.", "Let's talk then! What kind of movies do you like?"),
    ("I miss my family.", "I'm sorry, that is hard. When will you see them again?"),
]
MISFITTING = [
    ("Hi!", "The capital of France is Paris."),
    ("Hello, how are you?", "Bananas are yellow."),
    ("Good morning!", "Good night, and see you tomorrow morning!"),
    ("What's your name?", "Your name is [Name]."),
    ("How old are you?", "You are 34 years old, I'm sure."),
    ("Where are you from?", "The weather is nice."),
    ("Tell me a joke.", "I failed math at all! One day it was made and I'm afraid again."),
    ("I'm so tired today.", "I'm exhausted too, I need some sleep."),
    ("I feel sad today.", "I'm glad to hear that, what happened?"),
    ("I just got a new job!", "I'm excited to start my new job as a teacher. That's great news!"),
    ("It's my birthday today.", "I'm sorry to hear that. Is it big?"),
    ("Do you have any pets?", "Pizza is the best."),
    ("What do you do for a living?", "Living is nice."),
    ("What is your favorite food?", "Blue."),
    ("Do you like music?", "The sun rises in the east."),
    ("Thank you, that was very kind of you.", "I'm sorry to hear that."),
    ("I have to go now, bye!", "I have to go to work. See you soon."),
    ("I can't sleep.", "I can't sleep either, I'm trying to read."),
    ("I have a headache.", "That's wonderful! I hope you rest."),
    ("What are you doing right now?", "You are doing well."),
    ("It's raining outside.", "I can't believe it."),
    ("Are you a real person?", "Yes, I am a real person, not a program."),
    ("I'm bored.", "I'm bored too. Maybe we could do something."),
    ("I miss my family.", "I miss my mother, I hope to see her soon."),
]  # fmt: skip
JUDGES = {case.turns[0].message: case.turns[0].judge for case in openings()}


@pytest.mark.parametrize(("opening", "reply"), FITTING)
def test_replies_that_fit(opening: str, reply: str) -> None:
    assert JUDGES[opening](reply)


@pytest.mark.parametrize(("opening", "reply"), MISFITTING)
def test_replies_that_do_not(opening: str, reply: str) -> None:
    assert not JUDGES[opening](reply)


@pytest.mark.parametrize("opening", JUDGES)
def test_no_opening_takes_silence_an_echo_or_what_leaks_of_a_prompt(opening: str) -> None:
    judge = JUDGES[opening]
    assert not any(map(judge, ["", " \n", "...", "!?"]))
    assert len(opening.split()) < 3 or not judge(opening)
    fitting = dict(FITTING)[opening]
    assert not judge(f"{fitting}<|im_end|>")
    assert not judge(f"Assistant: {fitting}")
    assert not judge(f"{fitting} Yours, [Your Name]")
    assert not judge(" ".join([fitting, *["and so it goes on"] * 3]))


@pytest.mark.parametrize("opening", ["I'm so tired today.", "I feel sad today.", "I can't sleep."])
def test_regret_that_means_something_else_does_not_fit(opening: str) -> None:
    assert not JUDGES[opening]("I'm sorry, I'm not. What's your name?")


def test_every_opening_has_replies_of_both_kinds() -> None:
    assert [opening for opening, _ in FITTING] == [opening for opening, _ in MISFITTING] == list(JUDGES)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [("It is Paris.", True), ("PARIS", True), ("**Paris**!", True), ("Parisian life", False), ("Rome", False),
     ("There are 7.", True), ("17", False), ("", False), ("seven of them", True), ("H₂O!", True)],
)  # fmt: skip
def test_an_answer_counts_as_whole_words(reply: str, expected: bool) -> None:
    assert has_answer(["Paris", "7", "seven", "H₂O"])(reply) == expected


def test_an_echo_adds_nothing() -> None:
    assert is_echo("I miss my family.", "I miss my family!")
    assert is_echo("I miss my family.", "")
    assert not is_echo("Hi!", "Hi!"), "greetings are returned"
    assert not is_echo("Good morning!", "Good morning! Did you sleep well?")
    assert not is_echo("I am bored", "I am bored, you say? Then let us play chess.")


def test_a_stammer_says_the_same_three_times() -> None:
    assert is_stammer("I like it a lot. " * 3)
    assert not is_stammer("I like it a lot. " * 2)
    assert not is_stammer("no no no no")


def test_patterns_ignore_capitals_and_lines() -> None:
    judge = fits_opening("Hi!", ["^hello.*you$"], ["bad"])
    assert judge("HELLO\nto you")
    assert not judge("Hello, bad to you")
