"""What a turn costs with openai-agents, for `turns`: run by a Python that has it, told what to ask on standard input.

Prints CPU microseconds a turn.
"""

import asyncio
import json
import sys
import time

import agents
import openai


async def main():
    """Ask for everything once to warm up, once for the clock."""
    asked = json.load(sys.stdin)
    agents.set_tracing_disabled(True)
    client = openai.AsyncOpenAI(base_url=asked["url"], api_key="none", max_retries=0)
    model = agents.OpenAIResponsesModel(model="fake", openai_client=client)

    async def never(_context, _arguments):
        raise NotImplementedError

    async def turn(request):
        names = ("name", "description")
        tools = [
            agents.FunctionTool(*(tool[name] for name in names), tool["parameters"], never) for tool in request["tools"]
        ]
        agent = agents.Agent(name="agent", instructions=request["instructions"], model=model, tools=tools)
        await agents.Runner.run(agent, request["input"])

    for request in asked["requests"]:
        await turn(request)
    before = time.process_time()
    for request in asked["requests"]:
        await turn(request)
    print((time.process_time() - before) * 1e6 / len(asked["requests"]))


asyncio.run(main())
