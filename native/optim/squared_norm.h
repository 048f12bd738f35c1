#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "optim/shares.h"

namespace st {

// Sum of the squares of some ranges [begin, end) of a flat buffer on the CPU; infinite or NaN where a square, or a
// sum of thousands of them, is. Does not depend on the number of threads.
double squared_norm(const at::Tensor& flat, const std::vector<Span>& ranges);

namespace reference {
// The same for a whole buffer, in ATen operations: float64, 0-dim, on its device.
at::Tensor squared_norm(const at::Tensor& flat);
}  // namespace reference

}  // namespace st
