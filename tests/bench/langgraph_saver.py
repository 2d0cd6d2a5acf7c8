"""Records the steps of a JSON file with LangGraph's SQLite saver, as an agent's loop of a
model and a tool, and prints one JSON line: bytes, checkpoints, seconds."""

import json
import os
import sqlite3
import sys
import time
from importlib.metadata import version

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph

STEPS = json.load(open(sys.argv[1], encoding="utf-8"))
PATH = sys.argv[2]


class TimedSaver(SqliteSaver):
    """The saver itself, with a watch beside it."""

    puts = []
    spent = 0.0

    def put(self, *args, **kwargs):
        began = time.perf_counter()
        try:
            return super().put(*args, **kwargs)
        finally:
            took = time.perf_counter() - began
            TimedSaver.puts.append(took)
            TimedSaver.spent += took

    def put_writes(self, *args, **kwargs):
        began = time.perf_counter()
        try:
            return super().put_writes(*args, **kwargs)
        finally:
            TimedSaver.spent += time.perf_counter() - began


at = 0


def model(state):
    step = STEPS[at]
    call = {"id": step["call_id"], "name": "read", "args": step["args"]}
    return {"messages": [AIMessage(content=step["said"], tool_calls=[call])]}


def tools(state):
    global at
    step = STEPS[at]
    at += 1
    return {"messages": [ToolMessage(content=step["result"], tool_call_id=step["call_id"])]}


graph = StateGraph(MessagesState)
graph.add_node("model", model)
graph.add_node("tools", tools)
graph.add_edge(START, "model")
graph.add_edge("model", "tools")
graph.add_conditional_edges("tools", lambda _: "model" if at < len(STEPS) else END)

connection = sqlite3.connect(PATH, check_same_thread=False)
saver = TimedSaver(connection)
saver.setup()
app = graph.compile(checkpointer=saver)
config = {"configurable": {"thread_id": "1"}, "recursion_limit": 4 * len(STEPS)}
# `sync`: a checkpoint is stored before the next step begins, which is what ours promises.
app.invoke({"messages": [HumanMessage("Mend the parser.")]}, config, durability="sync")
connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
connection.close()

size = sum(os.path.getsize(PATH + end) for end in ("", "-wal") if os.path.exists(PATH + end))
last = TimedSaver.puts[-50:]
names = ("langgraph", "langgraph-checkpoint-sqlite")
print(json.dumps({
    "bytes": size,
    "checkpoints": len(TimedSaver.puts),
    "seconds": TimedSaver.spent,
    "last_ms": sum(last) / len(last) * 1000,
    "versions": ", ".join(f"{name} {version(name)}" for name in names),
}))
