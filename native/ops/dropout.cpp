#include "ops/dropout.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/cpu_call.h"
#include "ops/cuda.h"

namespace st {

namespace {

bool on_device(const Input& input) {
  if (input.ids_T.is_cpu()) return false;
  if (!cuda::use_kernels()) cuda::refuse_recording("masks made by the host");
  return cuda::use_kernels();
}

}  // namespace

void drop(const Input& input, const Dropout& dropout, at::Tensor x_TD, at::Tensor also_TD) {
  if (!dropout.active()) return;
  const ProfileScope scope("dropout");
  if (!has_kernels(x_TD)) return reference::drop(input, dropout, x_TD, also_TD);
  constexpr int64_t kGrain = 16;  // tokens that are worth a thread
  with_storage(x_TD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = x_TD.size(1);
    const kernels::Drop<S> call{width, dropout, token_places(input), data<S>(x_TD), data<S>(also_TD)};
    parallel_ranges(input.tokens(), parallel_parts(input.tokens(), kGrain), [&](int64_t, int64_t begin, int64_t end) {
      kernels::table<S>().drop(call, begin, end, thread_scratch<A>(kernels::norm_scratch(width)));
    });
  });
}

at::Tensor dropout_multiplier_TD(const Dropout& dropout, const Input& input, int64_t width, at::ScalarType type) {
  if (on_device(input)) {
    return cuda::dropout_factors(dropout, input.key_1, input.tokens(), input.rows_T, input.positions_T, width,
                                 input.ids_T.options().dtype(type));
  }
  at::Tensor out = at::empty({input.tokens(), width}, at::kDouble);
  double* to = out.data_ptr<double>();
  const Rows& batch = input.batch;
  for (int64_t row = 0; row < batch.rows(); ++row) {
    for (int64_t position = 0; position < batch.length(row); ++position) {
      for (int64_t column = 0; column < width; ++column) *to++ = dropout.multiplier(row, position, column);
    }
  }
  return out.to(input.ids_T.device()).to(type);
}

at::Tensor dropout_multiplier_RD(const Dropout& dropout, const Input& input, int64_t width, at::TensorOptions options) {
  const int64_t rows = input.texts();
  if (on_device(input)) return cuda::dropout_factors(dropout, input.key_1, rows, {}, {}, width, options);
  at::Tensor out = at::empty({rows, width}, at::kDouble);
  double* to = out.data_ptr<double>();
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < width; ++column) *to++ = dropout.multiplier(row, 0, column);
  }
  return out.to(options);
}

at::Tensor dropout_multiplier_HQK(const Dropout& dropout, int64_t row, int64_t heads, int64_t queries, int64_t keys,
                                  at::TensorOptions options) {
  at::Tensor out = at::empty({heads, queries, keys}, at::kDouble);
  double* to = out.data_ptr<double>();
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t query = 0; query < queries; ++query) {
      for (int64_t key = 0; key < keys; ++key) *to++ = dropout.attention_multiplier(row, head, query, key);
    }
  }
  return out.to(options);
}

namespace reference {

void drop(const Input& input, const Dropout& dropout, at::Tensor x_TD, at::Tensor also_TD) {
  if (!dropout.active()) return;
  const at::Tensor factors_TD = dropout_multiplier_TD(dropout, input, x_TD.size(1), x_TD.scalar_type());
  x_TD.mul_(factors_TD);
  if (also_TD.defined()) also_TD.mul_(factors_TD);
}

}  // namespace reference

}  // namespace st
