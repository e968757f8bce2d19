"""The API with nothing set, asked by OpenAI's own client: SmolLM2 answers."""

import httpx

from tests.api.openai.conftest import Talk
from tests.smollm2 import ANSWER, NOTHING_SET, QUESTION, needs_smollm2

pytestmark = needs_smollm2


def test_with_nothing_set_it_knows_the_capital_of_france(talk: Talk, fresh_backends: None) -> None:
    client = talk(**NOTHING_SET)
    models = {model.id: model.model_dump() for model in client.models.list()}
    assert "default" in models
    reply = client.chat.completions.create(model="default", messages=[{"role": "user", "content": QUESTION}])
    assert ANSWER in str(reply.choices[0].message.content)
    base = str(client.base_url).removesuffix("/v1/")
    answer = httpx.post(f"{base}/predict", json={"text": QUESTION}, timeout=300).json()
    assert ANSWER in answer["reply"]
    assert (answer["backend"], answer["model"].partition("+")[0]) == ("llamacpp", "SmolLM2-135M-Instruct")
