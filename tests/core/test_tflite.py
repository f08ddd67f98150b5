"""The detectors' networks in ONNX Runtime against the runtime that they were made for."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from mvlift.backends.onnx_runtime import cpu_session
from mvlift.detection.models import cache_folder, locked_models
from mvlift.detection.tflite_file import _dense, read_tflite
from mvlift.detection.tflite_graph import INPUT, onnx_graph


@pytest.mark.parametrize("name", sorted(locked_models()))
def test_outputs_are_those_of_litert(name: str) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    path = cache_folder() / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is not there: make setup")
    network = read_tflite(path)
    numbers = list(range(len(network.outputs)))
    picture = np.random.default_rng(1).random(network.shapes[network.inputs[0]]).astype(np.float32)
    reference = interpreter.Interpreter(str(path), num_threads=1)
    reference.allocate_tensors()
    reference.set_tensor(reference.get_input_details()[0]["index"], picture)
    reference.invoke()
    names = [f"output_{n}" for n in numbers]
    values_of_graph = cpu_session(onnx_graph(network, numbers), 1).run(names, {INPUT: picture})
    for values, detail in zip(values_of_graph, reference.get_output_details(), strict=True):
        expected = reference.get_tensor(detail["index"])
        assert values.shape == expected.shape
        # one output, the outline of a person in noise, is a sum of large terms
        assert np.abs(values - expected).max() < 3e-3 * max(1.0, np.abs(expected).max())
    few = numbers[-1:]
    alone = cpu_session(onnx_graph(network, few), 1).run([f"output_{few[0]}"], {INPUT: picture})
    assert alone[0] == pytest.approx(values_of_graph[-1], abs=1e-5)


def test_sparse_constants_are_opened() -> None:
    """(4, 6) with blocks of two rows: by block rows and columns, then rows within a block."""
    random = np.random.default_rng(2)
    full = random.normal(size=(2, 6, 2)).astype(np.float16) * (random.random((2, 6, 1)) < 0.5)
    segments, indices, values = [0], [], []
    for row in full:
        for column, block in enumerate(row):
            if block.any():
                indices.append(column)
                values.extend(block)
        segments.append(len(indices))
    dense_rows = SimpleNamespace(Format=lambda: 0, DenseSize=lambda: 2)
    columns = SimpleNamespace(
        Format=lambda: 1,
        ArraySegmentsType=lambda: 1,
        ArrayIndicesType=lambda: 1,
        ArraySegments=lambda: segments,
        ArrayIndices=lambda: indices,
    )
    levels = [dense_rows, columns, dense_rows]
    sparsity = SimpleNamespace(
        TraversalOrderAsNumpy=lambda: np.array([0, 1, 2]),
        BlockMapAsNumpy=lambda: np.array([0]),
        DimMetadata=lambda level: levels[level],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mvlift.detection.tflite_file._vector", lambda _, numbers: np.asarray(numbers))
        values_of_graph = _dense(np.array(values, np.float16), sparsity, (4, 6))
    assert (values_of_graph == full.transpose(0, 2, 1).reshape(4, 6)).all()
    assert (values_of_graph == 0).any()
    assert (values_of_graph != 0).any()
