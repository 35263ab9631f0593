"""``linnet inspect``: what a model holds and how it would run here."""

from __future__ import annotations

import argparse
from typing import Any

from linnet.binding import NodeSpan, Plan
from linnet.graph import Graph
from linnet.opening import open_graph
from linnet.types import TensorType

from .models import MODEL_HELP, add_input_arguments, make_feeds
from .tables import bytes_text, show_json, show_table

NAME = "inspect"
HELP = "Show a model's nodes, shapes, quantization, work, memory and chosen kernels."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet inspect``."""
    parser.add_argument("model", help=MODEL_HELP)
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument("--threads", type=int, help="threads to plan for")
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="say which patterns of attention, normalization, Gelu and rotary embedding stayed "
        "several operators, and why",
    )
    add_input_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Bind the model for the chosen input shapes and show the plan."""
    import linnet

    graph = open_graph(options.model)
    session = linnet.load(graph, threads=options.threads)
    shapes = {name: array.shape for name, array in make_feeds(graph, options).items()}
    report = describe(graph, session.plan(shapes))
    if options.verbose:
        from linnet.converters.passes.leftovers import leftovers

        report["patterns"] = leftovers(graph)
    if options.json:
        show_json(report)
    else:
        _show(report)
        for line in report.get("patterns", ()):
            print(f"pattern: {line}")
    return 0


def describe(graph: Graph, plan: Plan) -> dict[str, Any]:
    """Return everything that ``inspect`` shows, as plain data."""
    nodes = [_describe_node(span, plan) for span in plan.spans]
    constants = sum(v.type.nbytes for v in graph.values.values() if v.is_constant)
    return {
        "name": graph.name,
        "inputs": [_tensor(name, graph.type_of(name)) for name in graph.caller_inputs],
        "outputs": [_tensor(name, graph.type_of(name)) for name in graph.caller_outputs],
        "states": [
            {**_tensor(state.input, graph.type_of(state.input)), "output": state.output}
            for state in graph.states
        ],
        "nodes": nodes,
        "later": [str(node) for node in plan.later],
        "macs": sum(node["macs"] for node in nodes),
        "weight_bytes": constants,
        "arena_bytes": plan.memory.arena_bytes,
        "arena_lower_bound": plan.memory.lower_bound,
        "host_steps": sum(node["host"] for node in nodes),
        "isa": plan.program.isa,
        "threads": plan.program.threads,
        "metadata": graph.metadata,
    }


def _describe_node(span: NodeSpan, plan: Plan) -> dict[str, Any]:
    op, types = span.item.node.op, span.item.types
    cost = op.cost(types)
    names = [plan.program.steps[i][0] for i in range(span.begin, span.end)]
    return {
        "name": span.item.node.name,
        "op": op.title,
        "inputs": [None if t is None else str(t) for t in types.inputs],
        "outputs": [str(t) for t in types.outputs],
        "quantization": [_quantization(t) for t in types.outputs],
        "macs": int(cost.macs),
        "bytes": int(cost.bytes),
        "kernels": names,
        "host": span.host,
        "joined": span.joined,
    }


def _quantization(type_: TensorType) -> dict[str, Any] | None:
    q = type_.quantization
    if q is None:
        return None
    return {"scale": q.scale.tolist(), "zero_point": q.zero_point.tolist(), "axis": q.axis}


def _tensor(name: str, type_: TensorType) -> dict[str, Any]:
    return {
        "name": name,
        "dtype": type_.dtype.value,
        "shape": list(type_.shape),
        "quantization": _quantization(type_),
    }


def _show(report: dict[str, Any]) -> None:
    for kind in ("inputs", "outputs", "states"):
        for tensor in report[kind]:
            shape = ", ".join(str(dim) for dim in tensor["shape"])
            print(f"{kind[:-1]:7s}{tensor['name']}: {tensor['dtype']}[{shape}]")
    rows = [
        (
            i,
            node["name"],
            node["op"],
            " ".join(node["outputs"]),
            _short(node["quantization"][0]),
            f"{node['macs']:,}" if node["macs"] else "-",
            bytes_text(node["bytes"]),
            _kernels(node),
        )
        for i, node in enumerate(report["nodes"])
    ]
    columns = ("#", "node", "op", "output", "scale, zero", "MACs", "bytes", "kernel")
    show_table("", columns, rows)
    if report["later"]:
        count, first = len(report["later"]), report["later"][0]
        print(f"then {count} nodes from {first} on, planned when the data has told their shapes")
    print(
        f"{len(rows)} nodes, {report['macs'] / 1e6:.2f} MMAC, weights "
        f"{bytes_text(report['weight_bytes'])}, arena {bytes_text(report['arena_bytes'])}, "
        f"{report['host_steps']} host steps, {report['isa']}, {report['threads']} threads"
    )


def _kernels(node: dict[str, Any]) -> str:
    if node["host"]:
        return "host step"
    return "+".join(node["kernels"]) or ("joined" if node["joined"] else "view")


def _short(quantization: dict[str, Any] | None) -> str:
    if quantization is None:
        return "-"
    if len(quantization["scale"]) > 1:
        return f"{len(quantization['scale'])} scales"
    return f"{quantization['scale'][0]:.4g}, {quantization['zero_point'][0]}"
