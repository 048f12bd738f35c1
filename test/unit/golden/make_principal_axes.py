"""Golden principal axes for test/unit/report.test.ts: `PCA(2, svd_solver="full")` of scikit-learn.

Run with scikit-learn: `OMP_NUM_THREADS=1 python test/unit/golden/make_principal_axes.py`.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.decomposition import PCA

cases = []
rng = np.random.default_rng(3)
for rows, width, spread in [(12, 5, [5, 3, 1, 1, 1]), (40, 16, [4, 3.8] + [1] * 14), (7, 2, [2, 1])]:
    values = np.round(rng.normal(size=(rows, width)) * np.array(spread) + rng.normal(size=width), 3).astype(np.float32)
    pca = PCA(2, svd_solver="full")
    places = pca.fit_transform(values.astype(np.float64))
    # The sign of an axis is arbitrary: here its largest entry is positive.
    for k, axis in enumerate(pca.components_):
        if axis[np.argmax(np.abs(axis))] < 0:
            places[:, k] *= -1
    cases.append(
        {
            "rows": [[round(float(v), 3) for v in row] for row in values],
            "x": places[:, 0].tolist(),
            "y": places[:, 1].tolist(),
            "explained": pca.explained_variance_ratio_.tolist(),
            "version": sklearn.__version__,
        }
    )
(Path(__file__).parent / "principal-axes.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
