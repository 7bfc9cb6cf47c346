#!/usr/bin/python3
"""Debian's python3-socketio, a client that shares no code with ours or with the stock one.

usage: python_client.py fixture URL [TRANSPORT...]
       python_client.py daemon URL TOKEN USER_ID [TRANSPORT...]
Plays its part and prints what came of it as one line of JSON. Transports: all it knows, unless some are named.
"""
import json
import queue
import sys

import socketio

WAIT_S = 15
UTF8 = 5


class Client:
    """A connected client whose events wait in a queue."""

    def __init__(self, url, transports, namespaces=("/",), **options):
        self.events = queue.Queue()
        self.io = socketio.Client(reconnection=False)
        for namespace in namespaces:
            self.io.on("*", lambda event, *args: self.events.put((event, args)), namespace=namespace)
        self.io.on("ack", lambda: (5, {"test": True}))
        self.io.connect(url, transports=transports or None, namespaces=list(namespaces), wait_timeout=WAIT_S, **options)

    def take(self):
        return self.events.get(timeout=WAIT_S)

    def call(self, event, data=None, namespace="/"):
        return self.io.call(event, data, namespace=namespace, timeout=WAIT_S)

    def ask(self, event, data=None):
        """Emits, and answers with the arguments of the next event."""
        self.io.emit(event, data)
        return self.take()


def refusal(url, transports, namespace, query=""):
    """What the client is told when it may not connect."""
    messages = queue.Queue()
    client = socketio.Client(reconnection=False)
    client.on("connect_error", messages.put, namespace=namespace)
    client.on("connect", lambda: messages.put({"message": "connected"}), namespace=namespace)
    # Waiting for the namespace is left to the queue: the client itself waits on after a refusal.
    client.connect(url + query, transports=transports or None, namespaces=[namespace], wait=False)
    message = messages.get(timeout=WAIT_S)["message"]
    client.disconnect()
    return message


def play_fixture(url, transports):
    client = Client(url, transports, ("/", "/foo"))
    data = bytes(range(256))
    result = {
        "transport": client.io.transport(),
        "hi": client.ask("hi"),
        "echo": client.call("echo", {"list": [1, None, "é€😀"]}),
        "binary": client.call("echo", data) == data,
        "mixed": client.call("echo", {"a": [data, b"", "x"]}) == {"a": [data, b"", "x"]},
        "got it": client.ask("ack"),
        "false": client.ask("false"),
        "utf8": [client.ask("getUtf8")[1][0]] + [client.take()[1][0] for _ in range(UTF8 - 1)],
        "doge": client.ask("doge")[1][0] == b"asdfasdf",
        "jsonbuff": client.ask("jsonbuff", {"hello": "lol", "message": data, "goodbye": "gotcha"}),
        "ids": [
            client.call("getId") == client.io.get_sid(),
            client.call("getId", namespace="/foo") == client.io.get_sid("/foo"),
        ],
        "large": len(client.call("echo", "a" * 300_000)),
        "custom refusal": refusal(url, transports, "/no"),
        "main refusal": refusal(url, transports, "/", "?fail=1"),
        "unknown": refusal(url, transports, "/unknown"),
    }
    client.io.disconnect()
    return result


def play_daemon(url, token, user_id, transports):
    client = Client(url, transports, auth={"token": token})
    later = Client(url, transports)
    result = {
        "transport": client.io.transport(),
        "known": client.call("request_next_prompt", {"sessionId": user_id}),
        "unknown user": later.call("join_session", {"userId": user_id, "sessionId": user_id}),
        "authenticate": later.call("authenticate", {"token": token}),
        "authenticated": later.take(),
        "no session": later.call("join_session", {"userId": user_id, "sessionId": user_id}),
        "exception": later.ask("offer", {}),
    }
    for each in (client, later):
        each.io.disconnect()
    return result


def main():
    part, url, *rest = sys.argv[1:]
    if part == "fixture":
        result = play_fixture(url, rest)
    else:
        token, user_id, *transports = rest
        result = play_daemon(url, token, user_id, transports)
    print(json.dumps(result))


main()
