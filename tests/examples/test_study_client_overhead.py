from client_overhead import Cost, Figure, figure, measure_canned, report


def test_an_interval_of_eleven_rounds_is_from_the_second_to_the_tenth() -> None:
    """P(fewer than two of eleven values lie on one side of the median) is 1.2 %."""
    assert figure([float(i) for i in range(11, 0, -1)]) == Figure(6, 2, 10)


def test_an_interval_of_few_rounds_is_their_range() -> None:
    assert figure([3.0, 1.0, 2.0]) == Figure(2, 1, 3)


def test_the_ratio_is_taken_within_a_round() -> None:
    graph = [Cost(1.0, 10.0), Cost(1.0, 40.0), Cost(1.0, 2.0)]
    langgraph = [Cost(0.5, 5.0), Cost(0.5, 20.0), Cost(0.5, 6.0)]
    bare = [Cost(0.5, 10.0), Cost(0.5, 20.0), Cost(0.5, 2.0)]
    result = report(graph, langgraph, bare, questions=1, in_flight=1, delay_ms=0.0)
    assert result.wall_ratio == Figure(1.0, 1.0, 2.0)
    assert result.langgraph_wall_ratio == Figure(1.0, 0.5, 3.0)


async def test_a_small_run_gives_every_figure() -> None:
    result = await measure_canned(questions=8, rounds=1, in_flight=4, delay_ms=0.0)
    assert (result.questions, result.rounds, result.in_flight) == (8, 1, 4)
    assert result.graph_cpu_ms.median > result.bare_cpu_ms.median > 0
    assert result.langgraph_cpu_ms.median > result.bare_cpu_ms.median
    assert result.graph_wall_ms.median > 0
