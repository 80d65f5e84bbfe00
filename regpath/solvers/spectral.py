"""Ridge: one factorisation for the whole path.

With columns scaled by 1 / sqrt(v_j), the solution at lambda is a function of the eigenvalues of the
smaller of X~'X~ (p x p) and K = X~ X~' (n x n); where both are large or X is sparse, of the small
tridiagonal matrix that the Lanczos recurrence builds from K and the response. Unpenalised columns
are projected out first.

Certificate: b = X~'a with any a is feasible, and u = lambda a is a dual point with X~'u = lambda
b, so that primal minus dual value is |r - u|^2 / 2, r = y~ - X~ b: the gap needs no pass over X.

References: Hoerl and Kennard (1970); Hastie and Tibshirani (2004), Efficient quadratic
regularization for expression arrays, Biostatistics 5; Golub and Van Loan, Matrix Computations,
section 10.1.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Dense
from regpath.penalties import INDISTINCT
from regpath.solvers.gaussian import ActiveSetSolver
from regpath.solvers.geometry import Geometry
from regpath.solvers.points import NULL, SolvedPoints, Units
from regpath.solvers.products import apply, gram_of_columns, gram_of_rows, multiply

__all__ = ["SpectralSolver"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Beyond this order an eigendecomposition costs more than the steps of the Lanczos recurrence.
LARGEST_EIGEN = 6000
LARGEST_EIGEN_SPARSE = 1500
MOST_LANCZOS_STEPS = 1000
# Eigenvalues below this share of the largest one are rounding errors.
ZERO = 1e-13


class Spectrum(NamedTuple):
    """K (or the Gram matrix) on an orthonormal basis, and the response in that basis.

    Attributes
    ----------
    values : ndarray of shape (k,)
        Eigenvalues (Ritz values).
    vectors : ndarray of shape (m, k)
    response : ndarray of shape (k,)
        Right-hand side in the basis.
    tail : float
        Lanczos: beta of the last step, 0 where the basis is complete.
    last : ndarray of shape (k,)
        Lanczos: last components of the eigenvectors of the tridiagonal matrix.
    """

    values: Array
    vectors: Array
    response: Array
    tail: float
    last: Array


@dataclass
class SpectralSolver:
    """Ridge path, without limits, from one spectrum. Parameters as in `ActiveSetSolver`."""

    geometry: Geometry
    factor: Array
    tol: float
    max_iter: int
    deadline: float = math.inf
    why: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        g = self.geometry
        kept = ~(g.constant | np.isinf(self.factor))
        self._penalised = np.flatnonzero(kept & (self.factor > 0.0))
        self._free = np.flatnonzero(kept & (self.factor == 0.0))
        strength = self.factor * g.penalty_scale**2
        self._weight = 1.0 / strength[self._penalised]
        self._second: ActiveSetSolver | None = None
        self._basis, self._to_free = self._project_free()
        self._y = self._off_free(g.response)

    @property
    def units(self) -> Units:
        """What working units are worth."""
        return self.geometry.units

    def _project_free(self) -> tuple[Array, Array]:
        """Orthonormal basis (k, n) of the unpenalised columns, and its map to coefficients."""
        g = self.geometry
        self._doubt = 0.0
        if not self._free.size:
            return np.zeros((0, g.n)), np.zeros((0, 0))
        columns = np.array([apply(g, np.eye(1, g.p, j).ravel()) for j in self._free.tolist()])
        V, lengths, basis = np.linalg.svd(columns, full_matrices=False)
        kept = lengths > 1e-14 * lengths[0]  # the columns may depend on each other
        # Directions of short length are known up to an angle, which is lost on the response.
        angles = 8.0 * np.finfo(float).eps * lengths[0] / lengths[kept]
        self._doubt = 0.5 * float(angles @ angles)
        return basis[kept], V[:, kept] / lengths[kept]

    def _off_free(self, r: Array) -> Array:
        """Remove the span of the unpenalised columns."""
        return r - (r @ self._basis.T) @ self._basis

    def lambda_max(self) -> float:
        """Largest gradient over penalty factor at the null model, in working units."""
        if not self._penalised.size:
            return 0.0
        g = self.geometry
        gradient = g.gradient(self._y) if self._free.size else g.product
        stretched = self.factor * g.penalty_scale
        return float(np.max(np.abs(gradient[self._penalised]) / stretched[self._penalised]))

    def path(self, lambdas: Array) -> Iterator[SolvedPoints]:
        """Certified points along the lambdas."""
        g, m = self.geometry, self._penalised.size
        tall = m <= g.n and m <= (
            LARGEST_EIGEN if isinstance(g.design, Dense) else LARGEST_EIGEN_SPARSE
        )
        if tall:
            self.why.append(f"ridge: eigendecomposition of the {m} x {m} Gram matrix")
            yield from self._path_from_columns(lambdas)
            return
        if isinstance(g.design, Dense) and g.n <= LARGEST_EIGEN:
            self.why.append(f"ridge: eigendecomposition of the {g.n} x {g.n} kernel matrix")
            spectrum = self._row_spectrum()
        else:
            spectrum = self._lanczos(lambdas)
            self.why.append(f"ridge: {spectrum.values.size} Lanczos steps shared by all lambdas")
        yield from self._path_from_rows(spectrum, lambdas)

    # -- fewer columns than rows -------------------------------------------------------------------

    def _path_from_columns(self, lambdas: Array) -> Iterator[SolvedPoints]:
        """b(lambda) = V (S + lambda)^-1 V'q on the Gram matrix off the unpenalised columns."""
        g, root = self.geometry, np.sqrt(self._weight)
        gram = gram_of_columns(g, self._penalised) * root[:, None] * root
        q = g.product[self._penalised] * root
        crossed = np.zeros((q.size, 0))
        if self._free.size:
            crossed = multiply(g, self._basis, self._penalised).T * root[:, None]
            gram -= crossed @ crossed.T
            q -= crossed @ (self._basis @ g.response)
        values, V = np.linalg.eigh(gram)
        projected = V.T @ q
        inverse = _shifted_inverse(values, lambdas, self._weight.sum())
        B = V @ (projected[:, None] * inverse)
        h = q[:, None] - gram @ B
        left = h - _times(lambdas, B)
        gaps = 0.5 * np.sum((V.T @ left) ** 2 * inverse, axis=0)
        # A rounding error e of the gradients moves the minimum by e^2 / 2 over the least curvature.
        noise = np.finfo(float).eps * (np.linalg.norm(g.response) + np.abs(B).sum(axis=0))
        noise *= root.max(initial=0.0)
        gaps += 0.5 * noise**2 * inverse.max(axis=0, initial=0.0)
        # Directions that rounding cannot tell from null ones may still lower the objective.
        blurred = 0.5 * (projected**2 @ ((inverse == 0.0) & np.isfinite(lambdas))) / INDISTINCT
        gaps += blurred
        rr = float(self._y @ self._y) - np.sum((q[:, None] + h) * B, axis=0)
        ridge = _times(lambdas, np.sum(B * B, axis=0))
        free = self._to_free @ ((self._basis @ g.response)[:, None] - crossed.T @ B)
        violation = np.abs(left) / (root * g.penalty_scale[self._penalised])[:, None]
        features = np.concatenate([self._penalised, self._free])
        for k in range(lambdas.size):
            if blurred[k] > self.tol * NULL:
                yield self._by_working_set(lambdas[k])
                continue
            b = np.concatenate([B[:, k] * root, free[:, k]])
            worst = float(np.max(violation[:, k], initial=0.0))
            yield self._point(features, b, float(rr[k]), float(ridge[k]), float(gaps[k]), worst)

    # -- fewer rows than columns, or both large ----------------------------------------------------

    def _row_spectrum(self) -> Spectrum:
        K = gram_of_rows(self.geometry, self._penalised, self._weight)
        if self._free.size:
            K = self._off_free(self._off_free(K).T)
        values, vectors = np.linalg.eigh(K)
        return Spectrum(values, vectors, vectors.T @ self._y, 0.0, np.zeros(values.size))

    def _kernel_times(self, v: Array) -> Array:
        g = self.geometry
        b = np.zeros(g.p)
        b[self._penalised] = self._weight * g.gradient(v)[self._penalised]
        return self._off_free(self._off_free(apply(g, b)))

    def _lanczos(self, lambdas: Array) -> Spectrum:
        """Lanczos recurrence on K from y, reorthogonalised, until every lambda is done."""
        from scipy.linalg import eigh_tridiagonal

        finite = lambdas[np.isfinite(lambdas)]
        length = float(np.linalg.norm(self._y))
        steps = min(MOST_LANCZOS_STEPS, self.geometry.n)
        basis = [self._y / (length or 1.0)]
        alpha: list[float] = []
        beta: list[float] = []
        while True:
            w = self._kernel_times(basis[-1])
            alpha.append(float(w @ basis[-1]))
            known = np.array(basis)
            for _ in range(2):
                w = self._off_free(w - (known @ w) @ known)
            beta.append(float(np.linalg.norm(w)))
            values, Z = eigh_tridiagonal(np.array(alpha), np.array(beta[:-1]))
            response = length * Z[0]
            rest = beta[-1] * np.abs(
                (Z[-1] * response) @ _shifted_inverse(values, finite, self._weight.sum())
            )
            worst = 0.5 * float(np.max(rest, initial=0.0)) ** 2
            done = worst <= 0.1 * self.tol * NULL or beta[-1] <= ZERO * max(values[-1], 1e-300)
            if done or len(alpha) >= steps or time.monotonic() > self.deadline:
                return Spectrum(values, known.T @ Z, response, beta[-1], Z[-1])
            basis.append(w / beta[-1])

    def _path_from_rows(self, spectrum: Spectrum, lambdas: Array) -> Iterator[SolvedPoints]:
        """b(lambda) = X~'a(lambda), a = (K + lambda)^-1 y."""
        g, yy = self.geometry, float(self.geometry.response @ self.geometry.response)
        inverse = _shifted_inverse(spectrum.values, lambdas, self._weight.sum())
        coordinates = spectrum.response[:, None] * inverse
        a = self._off_free(self._off_free((spectrum.vectors @ coordinates).T))
        coefs = multiply(g, a, self._penalised)
        coefs *= self._weight
        features = np.concatenate([self._penalised, self._free])
        least = float(np.min(g.penalty_scale[features], initial=1.0))
        for k, lambda_ in enumerate(lambdas):
            b = coefs[k]
            ridge = float(_times(float(lambda_), np.sum(b * (b / self._weight))))
            if self._free.size:
                r, free = self._fit_free(b)
                b = np.concatenate([b, free])
                left = _times(lambda_, a[k])
                distance2 = float(np.sum((r - left) ** 2)) if lambda_ < math.inf else 0.0
                rr = float(r @ r)
            else:
                distance2, rr = self._distance(spectrum, coordinates[:, k], lambda_)
            lost = (inverse[:, k] == 0.0) & np.isfinite(lambda_)
            blurred = 0.0
            if lost.any():
                distance2 -= float(np.sum(spectrum.response[lost] ** 2))
                blurred = self._unfitted(spectrum, lost)
            if blurred > self.tol * NULL:
                yield self._by_working_set(lambda_)
                continue
            gap = 0.5 * max(distance2, 0.0) + blurred
            worst = math.sqrt(max(distance2, 0.0)) / least
            yield self._point(features, b, min(rr, yy), ridge, gap, worst)

    def _distance(self, spectrum: Spectrum, a: Array, lambda_: float) -> tuple[float, float]:
        """Squared lengths of r - u, with u = lambda a the dual point, and of r, by the spectrum."""
        fitted = np.maximum(spectrum.values, 0.0) * a
        r = spectrum.response - fitted
        rest = spectrum.tail * float(spectrum.last @ a)
        outside = float(self._y @ self._y) - float(spectrum.response @ spectrum.response)
        left = r - _times(lambda_, a) if lambda_ < math.inf else np.zeros(1)
        return float(left @ left) + rest * rest, float(r @ r) + rest * rest + max(outside, 0.0)

    def _fit_free(self, b: Array) -> tuple[Array, Array]:
        """Residual after the unpenalised columns are fitted next to b, and their coefficients."""
        g = self.geometry
        image = np.zeros(g.p)
        image[self._penalised] = b
        r = g.response - apply(g, image)
        free = self._to_free @ (self._basis @ r)
        return self._off_free(self._off_free(r)), free

    def _unfitted(self, spectrum: Spectrum, lost: NDArray[np.bool_]) -> float:
        """What directions of K that rounding cannot tell from null ones may add to the gap."""
        response = spectrum.response[lost]
        if not np.any(np.abs(response) > 1e-12):
            return 0.0
        images = multiply(
            self.geometry, np.ascontiguousarray(spectrum.vectors[:, lost].T), self._penalised
        )
        return 0.5 * float(np.sum((response @ images) ** 2)) / INDISTINCT

    def _by_working_set(self, lambda_: float) -> SolvedPoints:
        """A point whose directions differ too much in length for one spectrum: on unit columns."""
        if self._second is None:
            self.why.append("working set where eigenvalues are lost in rounding")
            endless = np.full(self.geometry.p, np.inf)
            self._second = ActiveSetSolver(
                self.geometry, self.factor, -endless, endless, 0.0, self.tol, self.max_iter
            )
        self._second.deadline = self.deadline
        (point,) = self._second.path(np.array([lambda_]))
        return point

    # -- record ------------------------------------------------------------------------------------

    def _point(
        self, features: Index, b: Array, rr: float, ridge: float, gap: float, violation: float
    ) -> SolvedPoints:
        g = self.geometry
        gap += self._doubt
        if self._free.size:
            order = np.argsort(features)
            features, b = features[order], b[order]
        return SolvedPoints(
            indptr=np.array([0, features.size]),
            features=features,
            coefs=b,
            objective=np.array([(0.5 * rr + 0.5 * ridge) / NULL]),
            gap=np.array([gap / NULL]),
            violation=np.array([violation]),
            explained=np.array([float(g.response @ g.response) - rr]),
            n_iter=np.ones(1, np.int64),
            working_set=features.size,
            reached=np.array([gap / NULL <= self.tol]),
            exhausted=False,
        )


def _times(lambdas: Array | float, b: Any) -> Array:
    """lambda b, with inf * 0 = 0."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(lambdas), 0.0, lambdas * b)


def _shifted_inverse(values: Array, lambdas: Array, trace: float) -> Array:
    """1 / (value + lambda) of shape (k, L); 0 where that is a rounding error, or lambda is inf.

    ``trace`` is that of the matrix before the unpenalised columns were projected out: the size of
    what was rounded.
    """
    largest = float(np.max(values, initial=0.0))
    floor = max(ZERO * largest * max(values.size, 1), 16.0 * np.finfo(float).eps * trace)
    shifted = np.maximum(values, 0.0)[:, None] + lambdas
    return np.where(shifted > floor, 1.0 / np.maximum(shifted, floor), 0.0)
