import re

from runner.login.pkce import Proof, new_state


def test_the_challenge_is_the_one_of_the_standard():
    """The example of RFC 7636, appendix B."""
    proof = Proof.of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert proof.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_new_verifier_has_the_standards_length_and_letters():
    verifier = Proof.new().verifier.reveal()
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier)


def test_no_two_are_alike_and_none_shows_itself():
    proofs = {Proof.new() for _ in range(20)}
    assert len(proofs) == len({new_state() for _ in range(20)}) == 20
    proof = proofs.pop()
    assert proof.verifier.reveal() not in repr(proof)
