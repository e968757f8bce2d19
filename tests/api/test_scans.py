"""Scans and photographs over the API: as files whose lines have a place. Knows OpenAI's client and curl's form."""

from tests.api.test_files import House
from tests.api.test_files import house as house
from tests.documents.scan.drawing import draw, encode, lines, needs_scans
from tests.documents.test_scans import scan


@needs_scans
def test_a_scan_and_a_photograph_are_files_whose_lines_have_a_place(house: House) -> None:
    quote = "The lamp of Port Selden\nburned whale oil."
    first, second = (draw(lines(*text.splitlines()), size=(1000, 1414)) for text in ("Of fog.", quote))
    files = {"page.png": (encode(second), 1), "scan.pdf": (scan([(first, ""), (second, "")]), 2)}
    for name, (data, number) in files.items():
        with house.client() as client:
            kept = client.files.create(file=(name, data), purpose="assistants")
        answer = house.post("/v1/files/search", json={"query": "What did the lamp burn?", "files": [kept.id]})
        found = answer.json()["data"][0]
        assert (found["file"], found["page"], found["quote"]) == (name, number, quote)
        assert [len(box) for box in found["region"]] == [4, 4]
