"""Defects of the backward loop."""

from __future__ import annotations

from mutants.mutant import Mutant

READY = """\
            if not left:
                if newest is None:
                    newest = node
                else:
                    heappush(ready, (node.order, node))
"""
ADDED = "                buffers[key] = _sum(buffers[key], grad, key, own) if key in buffers else grad\n"

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="ENG02",
        defect="a node runs on its first incoming gradient; what arrives later is dropped",
        source="TrenTorch PR #182; lucasdelimanogueira/PyNorch #90",
        file="engine.py",
        before=READY,
        after="""\
            if left >= 0:
                waiting[node] = -1
                heappush(ready, (sum(waiting.values()), node))
""",
        areas=("gradients", "accumulation", "order", "roots"),
        steps=3,
    ),
    Mutant(
        id="ENG03",
        defect="nodes run by their distance from the root: a skip connection runs before the long path has arrived",
        source="chainer/xchainer commit c72ac66f7f",
        file="engine.py",
        before=READY,
        after="""\
            if left >= 0:
                waiting[node] = -1
                heappush(ready, (-sum(waiting.values()), node))
""",
        areas=("gradients", "accumulation", "order", "roots"),
        steps=3,
    ),
    Mutant(
        id="ENG04",
        defect="leaves are told apart by value: two that hold the same numbers are taken for one",
        source="tinygrad #9597; HIPS/autograd 65039b8; MyGrad PR #276",
        file="graph.py",
        before="    edges = saved = versions = values = ()\n",
        after="""\
    edges = saved = versions = values = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and np.array_equal(self.variable._array, other.variable._array)

    def __hash__(self) -> int:
        return hash(self.shape)

""",
        areas=("gradients", "accumulation"),
        steps=3,
    ),
    Mutant(
        id="ENG05",
        defect="a node is queued once for each edge: a tensor in both operand slots runs its producer twice",
        source="chainer/xchainer commit c89f957101",
        file="engine.py",
        before=ADDED,
        after="""\
                twice = node.__class__ is not AccumulateGrad and list(edges).count((node, nr)) > 1
                if key in buffers and twice:
                    buffers[key] = (buffers[key] + grad) * 2
                else:
                    buffers[key] = _sum(buffers[key], grad, key, own) if key in buffers else grad
""",
        areas=("gradients", "roots"),
        steps=3,
    ),
    Mutant(
        id="ENG06",
        defect="gradients to wait for are counted once for each op, but counted down once for each edge",
        source="family of chainer/xchainer c89f957101 and Oneflow 848de586cf",
        file="engine.py",
        before=READY,
        after="""\
            uses = [target for target, _ in edges].count(node)
            waiting[node] = left - (uses - 1) / uses
            if waiting[node] <= 0 < left + 1:
                heappush(ready, (sum(waiting.values()), node))
""",
        areas=("gradients", "accumulation", "order", "roots"),
        steps=4,
    ),
    Mutant(
        id="ENG07",
        defect="grad() keeps only one of the ops that use a tensor",
        source="chainer/xchainer commit 005a75862f",
        file="engine.py",
        before=ADDED,
        after="""\
                users = task.__dict__.setdefault("users", {})
                if node in captures and users.get(key) is not edges:
                    buffers.pop(key, None)
                    own.discard(key)
                users[key] = edges
                buffers[key] = _sum(buffers[key], grad, key, own) if key in buffers else grad
""",
        areas=("grad", "gradients", "accumulation"),
        steps=3,
    ),
    Mutant(
        id="ENG09",
        defect="where a root is given twice, the second seed takes the place of the first",
        source="PaddlePaddle PR #13131 (generalised)",
        file="engine.py",
        before="    task = GraphTask()\n",
        after="""\
    seeded = dict(zip(roots, seeds))
    roots, seeds = list(seeded), list(seeded.values())
    task = GraphTask()
""",
        areas=("roots", "gradients"),
        steps=2,
    ),
)
