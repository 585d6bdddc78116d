"""The stand-in's control port, for tests only: look at a sensor's state, order its faults, reset it.

JSON over plain HTTP without any sign-in; it shows stored passwords, so it never belongs on a real network. `?sensor=N`
chooses among several, counted from 0 (the default), `?sensor=all` orders the same for all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, jsonify, make_response, request
from sensor import Faults, Sensor

_CLOUD_SECONDS = 20.0


def control(sensors: Sequence[Sensor]) -> Flask:
    """Return the application of the control port."""
    app = Flask("control")

    def answer(data: Any, status: int = 200) -> Response:
        return make_response(jsonify(data), status)

    def chosen() -> list[Sensor]:
        number = request.args.get("sensor", "0")
        if number == "all":
            return list(sensors)
        if not number.isdecimal() or int(number) >= len(sensors):
            raise ValueError(f"there is no sensor {number}; they are 0 to {len(sensors) - 1}, or all")
        return [sensors[int(number)]]

    def body() -> Any:
        data = request.get_json(force=True, silent=True) if request.get_data() else {}
        if not isinstance(data, dict):
            raise ValueError("the body must be a JSON object")
        return data

    @app.errorhandler(ValueError)
    def _refuse(error: ValueError) -> Response:
        return answer({"error": str(error)}, 400)

    @app.get("/state")
    def _state() -> Response:
        found = [sensor.state() for sensor in chosen()]
        return answer(found if request.args.get("sensor") == "all" else found[0])

    @app.get("/cloud")
    def _cloud() -> Response:
        verdict = chosen()[0].agent.look(_CLOUD_SECONDS)
        return answer(None if verdict is None else {"connected": not verdict.issues, "issues": list(verdict.issues)})

    @app.put("/faults")
    def _order() -> Response:
        faults = Faults.of(body())
        for sensor in chosen():
            sensor.faults = dataclasses.replace(faults)
        return answer(dataclasses.asdict(faults))

    @app.delete("/faults")
    def _repair() -> Response:
        for sensor in chosen():
            sensor.faults = Faults()
        return answer({})

    @app.post("/reset")
    def _reset() -> Response:
        data = body()
        for sensor in chosen():
            sensor.reset(data)
        return answer({})

    return app
