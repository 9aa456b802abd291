from webhook_gateway.breaker import CircuitBreaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_only_after_failures_in_a_row() -> None:
    breaker = CircuitBreaker(threshold=3)
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.admit()
    for _ in range(3):
        breaker.failed()
    assert breaker.open
    assert not breaker.admit()


def test_the_first_success_closes_it() -> None:
    breaker = CircuitBreaker(threshold=1)
    breaker.failed()
    assert breaker.open
    breaker.succeeded()
    assert breaker.admit()


def test_one_request_probes_when_nobody_else_has_for_a_while() -> None:
    clock = Clock()
    breaker = CircuitBreaker(threshold=1, probe_after=5, clock=clock)
    breaker.failed()
    clock.now = 4.9
    assert not breaker.admit()
    clock.now = 5.0
    assert [breaker.admit() for _ in range(3)] == [True, False, False]


def test_probes_of_the_drain_keep_requests_from_probing() -> None:
    clock = Clock()
    breaker = CircuitBreaker(threshold=1, probe_after=5, clock=clock)
    for second in range(0, 60, 4):
        clock.now = second
        breaker.failed()
        assert not breaker.admit()
