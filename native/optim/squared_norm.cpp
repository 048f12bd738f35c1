#include "optim/squared_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>

#include "ops/cpu_call.h"
#include "optim/shares.h"

namespace st {

double squared_norm(const at::Tensor& flat, const std::vector<Span>& ranges) {
  double sum = 0;
  if (!flat.is_cpu()) {
    for (const Span& range : ranges)
      sum += reference::squared_norm(flat.narrow(0, range.begin, range.end - range.begin));
    return sum;
  }
  const std::vector<Piece> pieces = pieces_of(ranges);
  std::vector<double> squares(pieces.size());
  with_storage(flat.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    parallel_pieces(pieces, [&](int64_t i) {
      squares[i] = kernels::table<S>().squared_norm(pieces[i].end - pieces[i].begin, data<A>(flat) + pieces[i].begin);
    });
  });
  for (double square : squares) sum += square;
  return sum;
}

namespace reference {

// Of millions of elements: one sum in float32 loses a thousandth, so rows are summed up in double.
double squared_norm(const at::Tensor& range) {
  constexpr int64_t kRow = 16384;
  const int64_t whole = range.numel() / kRow * kRow;
  double sum = 0;
  if (whole > 0) {
    const at::Tensor rows = at::linalg_vector_norm(range.narrow(0, 0, whole).view({-1, kRow}), 2, at::IntArrayRef{1});
    sum = rows.to(at::kDouble).pow(2).sum().item<double>();
  }
  if (whole < range.numel()) {
    const double rest = at::linalg_vector_norm(range.narrow(0, whole, range.numel() - whole)).item<double>();
    sum += rest * rest;
  }
  return sum;
}

}  // namespace reference

}  // namespace st
