"""A model server of ours, which tests tell what to answer."""

import json


class Server:
    """A model server as an ASGI app: `answer` is given path and body, and returns a status and an answer.

    An answer that is a str goes out as it is, and as `text` says what it is.
    """

    def __init__(self, answer, text="application/json"):
        self.answer = answer
        self.text = text
        self.asked = []

    async def __call__(self, scope, receive, send):
        """Answer one request."""
        body = json.loads((await receive())["body"])
        path = scope["path"].removeprefix("/v1")
        self.asked.append((path, body))
        status, reply = self.answer(path, body)
        kind = self.text if isinstance(reply, str) else "application/json"
        head = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": head})
        text = reply if isinstance(reply, str) else json.dumps(reply)
        await send({"type": "http.response.body", "body": text.encode()})

    @property
    def paths(self):
        """The paths asked for, oldest first."""
        return [path for path, _ in self.asked]
