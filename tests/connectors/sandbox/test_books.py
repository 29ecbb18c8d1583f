"""The books: what a loader's own account is held against, in the process and over HTTP."""


def test_the_books_are_told_over_http(serve_with, one, points):
    served = serve_with()
    served.sandbox.preload(["C-1", "C-2"])
    served.send(one("C-1", **points(10)), one("C-2"))
    served.send(one("C-1", **points(10)))
    told = served.get("/sandbox/books").json()
    who = served.books.customer("externalId", "C-1").id
    assert told["customers"] == 2
    assert told["writes"] == {
        "total": 3,
        "customers": 2,
        "customers_more_than_once": 1,
        "more_than_once": [{"customer": who, "times": 2}],
    }
    assert told["credits"] == {"1016": {"entries": 2, "points": 20, "customers": 1}}
    assert told["credited_twice"]["rows"] == [{"customer_id": who, "program_id": 1016, "times": 2, "points": 20}]
    assert told["requests"]["by_status"] == {"200": 2}


def test_one_customers_books_are_told_over_http(plain, one, points):
    plain.send(one("C-3", profile={"firstName": "Asha"}, **points(10)))
    told = plain.get("/sandbox/books", identifierName="externalId", identifierValue="C-3").json()
    assert (told["writes"], told["credits"]) == (1, [{"program_id": 1016, "points": 10}])
    assert told["customer"]["profiles"][0]["first_name"] == "Asha"
    assert told["customer"]["till"] == ""
    assert plain.get("/sandbox/books", identifierName="externalId").status_code == 404


def test_customers_are_preloaded_over_http(serve_with):
    served = serve_with()
    sent = ["C-1", {"externalId": "C-2", "mobile": "919800000002"}, "C-1"]
    assert served.client.post("/sandbox/customers", json=sent).json() == {"added": 2, "customers": 2}
    assert served.books.customer("mobile", "919800000002").profiles[0].identifiers["externalId"] == "C-2"
    assert served.client.post("/sandbox/customers", json={"a": 1}).status_code == 400
    assert (served.books.writes(), served.books.requests()) == (0, [])


def test_faults_are_replaced_over_http(serve_with, one):
    served = serve_with(faults=("502",))
    assert served.client.put("/sandbox/faults", json=["no"]).status_code == 400
    assert served.send(one("C-1")).status_code == 502
    assert served.client.put("/sandbox/faults", json=[]).status_code == 204
    assert served.send(one("C-1")).status_code == 500


def test_request_times_are_told_by_path(plain, one):
    plain.send(one("C-5"))
    seen = plain.books.requests("/v2/bulk")[-1]
    times = plain.get("/sandbox/books", times="1").json()["request_times_s"]["/v2/bulk"]
    assert times[-1] == seen.at_s
    assert (seen.method, seen.status, seen.body_bytes > 100) == ("PUT", 200, True)


def test_books_add_up_while_writes_come_in(serve_with, one, points):
    """A reader never sees half of a request: points come in batches of 10 x 5."""
    served = serve_with()
    served.sandbox.preload(f"C-{number}" for number in range(10))
    for _ in range(20):
        served.send(*(one(f"C-{number}", **points(5)) for number in range(10)))
        assert served.books.credits()[1016].points % 50 == 0
    assert served.books.writes() == 200
