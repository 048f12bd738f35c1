#include "optim/squared_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>

#include "ops/cpu_call.h"
#include "optim/shares.h"

namespace st {

double squared_norm(const at::Tensor& flat, const std::vector<Span>& ranges) {
  double sum = 0;
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

// With millions of elements, one sum in float32 loses a thousandth, so sums of rows are doubles.
at::Tensor squared_norm(const at::Tensor& flat) {
  constexpr int64_t kRow = 16384;
  const int64_t whole = flat.numel() / kRow * kRow;
  const auto of = [](const at::Tensor& rows) {
    return at::linalg_vector_norm(rows, 2, at::IntArrayRef{1}).to(at::kDouble).square().sum();
  };
  const at::Tensor rest = of(flat.narrow(0, whole, flat.numel() - whole).view({1, -1}));
  return whole > 0 ? of(flat.narrow(0, 0, whole).view({-1, kRow})) + rest : rest;
}

}  // namespace reference

}  // namespace st
