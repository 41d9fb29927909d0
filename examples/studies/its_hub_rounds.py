"""Ask its_hub the same questions round after round; `single_requests_overhead.py` runs this in its environment.

Each line on standard input is a round: a JSON list of questions. The answer to it is a line with the CPU time of the
round in milliseconds a question, in all threads.
"""

import argparse
import asyncio
import json
import sys
import time


async def rounds(base_url: str, samples: int, in_flight: int) -> None:
    from its_hub import OpenAICompatibleLanguageModel, SelfConsistency  # type: ignore[import-not-found] # not here

    model = OpenAICompatibleLanguageModel(base_url, "none", "canned", temperature=1.0, max_completion_tokens=64)
    algorithm = SelfConsistency()
    while line := await asyncio.to_thread(sys.stdin.readline):
        questions = json.loads(line)
        remaining = iter(questions)

        async def worker() -> None:
            for question in remaining:  # noqa: B023 - the workers end within the round
                await algorithm.ainfer(model, f"{question}=", samples)

        started = time.process_time()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        print((time.process_time() - started) * 1e3 / len(questions), flush=True)
    await model.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("base_url", help="an OpenAI-style server")
    parser.add_argument("samples", type=int, help="answers to each question")
    parser.add_argument("in_flight", type=int, help="questions at once, at most")
    options = parser.parse_args()
    asyncio.run(rounds(options.base_url, options.samples, options.in_flight))


if __name__ == "__main__":
    main()
