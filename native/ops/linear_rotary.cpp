#include "ops/linear_rotary.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/sum.h>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/linear_rows.h"

namespace st {

namespace {

constexpr int64_t kGrain = 16;  // tokens that are worth a thread

template <typename S>
kernels::Rotary<S> call_of(const RotaryShape& shape, const RotaryAngles& angles, int64_t width) {
  return {.width = width,
          .heads = shape.heads,
          .head_dim = shape.head_dim,
          .rotated = shape.rotated,
          .positions_T = data<int32_t>(angles.places_T),
          .table_PR = data<kernels::arithmetic_t<S>>(angles.table_PR)};
}

}  // namespace

at::Tensor rotary_table(const at::Tensor& frequency_R, int64_t positions) {
  const at::Tensor angles_PR = at::outer(at::arange(positions, frequency_R.options()), frequency_R);
  return at::cat({at::cos(angles_PR), at::sin(angles_PR)}, 1);
}

void linear_rotary(const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_X, const RotaryShape& shape,
                   const RotaryAngles& angles, at::Tensor out_TX) {
  const ProfileScope scope("linear + rotary");
  if (!product::available(x_TI)) {
    linear(x_TI, weight, bias_X, out_TX);
    if (!has_kernels(x_TI)) return reference::rotate(shape, angles, false, out_TX);
    return with_storage(x_TI.scalar_type(), [&]<typename S>(S) {
      using A = kernels::arithmetic_t<S>;
      const int64_t width = out_TX.size(1);
      const auto call = call_of<S>(shape, angles, width);
      parallel_ranges(out_TX.size(0), parallel_parts(out_TX.size(0), kGrain), [&](int64_t, int64_t begin, int64_t end) {
        for_rows(data<S>(out_TX), width, begin, end, [&](int64_t first, int64_t last, const A* block) {
          kernels::table<S>().rotate(call, first, last, block, nullptr, data<S>(out_TX));
        });
      });
    });
  }
  with_product_storage(x_TI.scalar_type(), [&]<typename S>(S) {
    const auto call = call_of<S>(shape, angles, out_TX.size(1));
    linear_rows<S>(x_TI, weight, same_memory<S>(out_TX), [&](int64_t, int64_t begin, int64_t end, const float* sums) {
      kernels::table<S>().rotate(call, begin, end, sums, data<float>(bias_X), data<S>(out_TX));
    });
  });
}

void linear_rotary_backward(const RotaryShape& shape, const RotaryAngles& angles, at::Tensor d_TX,
                            at::Tensor d_bias_X) {
  const ProfileScope scope("rotary, backward");
  if (!has_kernels(d_TX)) {
    reference::rotate(shape, angles, true, d_TX);
    if (d_bias_X.defined()) d_bias_X.add_(d_TX.sum(at::IntArrayRef{0}, false, d_bias_X.scalar_type()));
    return;
  }
  with_storage(d_TX.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = d_TX.size(1), parts = parallel_parts(d_TX.size(0), kGrain);
    const auto call = call_of<S>(shape, angles, width);
    std::vector<A> partial(parts * width);
    parallel_ranges(d_TX.size(0), parts, [&](int64_t part, int64_t begin, int64_t end) {
      kernels::table<S>().rotate_back(call, begin, end, data<S>(d_TX), partial.data() + part * width);
    });
    add_partials(partial, width, {d_bias_X});
  });
}

namespace reference {

void rotate(const RotaryShape& shape, const RotaryAngles& angles, bool back, at::Tensor x_TX) {
  const at::ScalarType type = x_TX.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const int64_t half = shape.rotated / 2;
  const at::Tensor row_T1R = angles.table_PR.index_select(0, angles.places_T).to(type).unsqueeze(1);
  const at::Tensor cos_T1R = row_T1R.narrow(2, 0, half), sin_T1R = row_T1R.narrow(2, half, half) * (back ? -1 : 1);
  const at::Tensor heads_THE = x_TX.narrow(1, 0, shape.heads * shape.head_dim).view({-1, shape.heads, shape.head_dim});
  const at::Tensor first_THR = heads_THE.narrow(2, 0, half), second_THR = heads_THE.narrow(2, half, half);
  const at::Tensor x_THR = first_THR.to(type), y_THR = second_THR.to(type);
  const at::Tensor turned_THR = x_THR * cos_T1R - y_THR * sin_T1R;
  second_THR.copy_(y_THR * cos_T1R + x_THR * sin_T1R);
  first_THR.copy_(turned_THR);
}

}  // namespace reference

}  // namespace st
