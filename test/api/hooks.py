"""What schemathesis cannot know by itself: which refusals of well-formed requests are the rules at work."""

import schemathesis

FORM = {"INVALID", "INVALID_NUMBER"}
MEANING = {
    "the planned spend costs nothing",
    "an order is given twice",
    "give deltaShare with every finite order or with none",
}


@schemathesis.check
def valid_requests_are_well_formed(ctx, response, case):
    """A request that the document allows may be refused for what it means, never for its form."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 422:
        return
    problem = response.json()
    if problem["code"] in FORM and problem["detail"] not in MEANING:
        raise AssertionError(f"{problem['code']} {problem.get('errors')}")


@schemathesis.check
def problems_are_problem_documents(ctx, response, case):
    """Every refusal is a document of RFC 9457 whose status is that of the answer."""
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    content_type = response.headers["content-type"][0]
    assert content_type.startswith("application/problem+json"), content_type
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:epsilon-ledger:problem:{problem['code']}"
    assert problem["title"] and problem["detail"]
