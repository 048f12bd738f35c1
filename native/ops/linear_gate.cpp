#include "ops/linear_gate.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include <type_traits>
#include <vector>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/linear_rows.h"

namespace st {

namespace {

constexpr int64_t kGrain = 16;  // rows that are worth a thread

// Calls work(part, first, last, block) for all rows of a matrix, with the block of numbers that holds them.
template <typename S, typename Work>
void for_rows_of(const at::Tensor& x_TX, int64_t parts, const Work& work) {
  const int64_t width = x_TX.size(1);
  parallel_ranges(x_TX.size(0), parts, [&](int64_t part, int64_t begin, int64_t end) {
    for_rows(data<S>(x_TX), width, begin, end,
             [&](int64_t first, int64_t last, const auto* block) { work(part, first, last, block); });
  });
}

// Calls work(S{}, call) with what the kernel reads. The bias is in the arithmetic type; undefined = 0.
template <typename Work>
void with_gate(const Input& input, const at::Tensor& bias_2F, const GateShape& gate, const Dropout& dropout,
               const at::Tensor& kept_T2F, const at::Tensor& after_TF, const Work& work) {
  with_storage(after_TF.scalar_type(), [&]<typename S>(S s) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = after_TF.size(1);
    const at::Tensor added_2F =
        bias_2F.defined() ? bias_2F : at::zeros({2 * width}, c10::CppTypeToScalarType<A>::value);
    work(s, kernels::Gate<S>{.width = width,
                             .kind = gate.activation,
                             .activated_first = gate.activated_first,
                             .dropout = dropout,
                             .tokens = token_places(input),
                             .bias_2F = data<A>(added_2F),
                             .kept_T2F = data<S>(kept_T2F),
                             .after_TF = data<S>(after_TF)});
  });
}

template <typename S, typename A>
void gate_rows(const kernels::Gate<S>& call, int64_t begin, int64_t end, const A* sums) {
  kernels::table<S>().gate(call, begin, end, sums, thread_scratch<A, GateShape>(kernels::norm_scratch(call.width)));
}

}  // namespace

void linear_gate(const Input& input, const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_2F,
                 const GateShape& gate, const Dropout& dropout, at::Tensor kept_T2F, at::Tensor after_TF,
                 at::Tensor before_T2F) {
  const ProfileScope scope("linear + gate");
  const int64_t width = after_TF.size(1);
  const Scratch scratch(weight.workspace);
  if (!product::available(x_TI)) {
    if (!before_T2F.defined()) before_T2F = weight.workspace.take({x_TI.size(0), 2 * width}, x_TI.scalar_type());
    linear(x_TI, weight, bias_2F, before_T2F);
    return gate_again(input, before_T2F, gate, dropout, kept_T2F, after_TF);
  }
  const bool keeps = before_T2F.defined();  // it includes the bias
  with_gate(input, keeps ? at::Tensor() : bias_2F, gate, dropout, kept_T2F, after_TF, [&]<typename S>(S, auto call) {
    if constexpr (!std::is_same_v<S, double>) {
      linear_rows<S>(x_TI, weight, keeps ? same_memory<S>(before_T2F) : nullptr,
                     [&](int64_t, int64_t begin, int64_t end, float* sums) {
                       if (keeps) {
                         const int64_t rows = end - begin, columns = 2 * width;
                         S* before = data<S>(before_T2F) + begin * columns;
                         kernels::table<float>().store_rows(rows, columns, sums, data<float>(bias_2F), false, sums);
                         kernels::table<S>().store_rows(rows, columns, sums, nullptr, false, before);
                       }
                       gate_rows(call, begin, end, static_cast<const float*>(sums));
                     });
    }
  });
}

void gate_again(const Input& input, const at::Tensor& before_T2F, const GateShape& gate, const Dropout& dropout,
                at::Tensor kept_T2F, at::Tensor after_TF) {
  if (!has_kernels(before_T2F)) return reference::gate(input, before_T2F, gate, dropout, kept_T2F, after_TF);
  with_gate(input, {}, gate, dropout, kept_T2F, after_TF, [&]<typename S>(S, const auto& call) {
    for_rows_of<S>(before_T2F, parallel_parts(before_T2F.size(0), kGrain),
                   [&](int64_t, int64_t begin, int64_t end, const auto* block) { gate_rows(call, begin, end, block); });
  });
}

void linear_gate_backward(const at::Tensor& d_y_TO, const Weight& weight, const at::Tensor& kept_T2F, at::Tensor d_T2F,
                          at::Tensor d_bias_2F) {
  const ProfileScope scope("linear + gate, backward");
  const int64_t width = kept_T2F.size(1) / 2, rows = d_y_TO.size(0);
  const Scratch scratch(weight.workspace);
  const bool fused = product::available(d_y_TO);
  at::Tensor d_after_TF;
  if (!fused) {
    d_after_TF = weight.workspace.take({rows, width}, d_y_TO.scalar_type());
    linear_backward_input(d_y_TO, weight, d_after_TF, false);
    if (!has_kernels(d_y_TO)) return reference::gate_backward(d_after_TF, kept_T2F, d_T2F, d_bias_2F);
  }
  with_storage(d_y_TO.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t parts = fused ? product::parts(rows) : parallel_parts(rows, kGrain);
    std::vector<A> partial(parts * 2 * width);
    const kernels::GateBackward<S> call{.width = width, .kept_T2F = data<S>(kept_T2F), .d_T2F = data<S>(d_T2F)};
    const auto work = [&](int64_t part, int64_t begin, int64_t end, const A* sums) {
      kernels::table<S>().gate_backward(call, begin, end, sums, partial.data() + part * 2 * width);
    };
    bool done = false;
    if constexpr (!std::is_same_v<S, double>) {
      if (fused) linear_backward_rows<S>(d_y_TO, weight, nullptr, work);
      done = fused;
    }
    if (!done) for_rows_of<S>(d_after_TF, parts, work);
    add_partials(partial, 2 * width, {d_bias_2F});
  });
}

namespace reference {

namespace {

struct Halves {
  at::Tensor activated_TF, other_TF;
};

Halves halves(const at::Tensor& x_T2F, bool activated_first) {
  const int64_t width = x_T2F.size(1) / 2;
  const at::Tensor first_TF = x_T2F.narrow(1, 0, width), second_TF = x_T2F.narrow(1, width, width);
  return activated_first ? Halves{first_TF, second_TF} : Halves{second_TF, first_TF};
}

}  // namespace

void gate(const Input& input, const at::Tensor& before_T2F, const GateShape& gate, const Dropout& dropout,
          at::Tensor kept_T2F, at::Tensor after_TF) {
  const Halves x = halves(before_T2F, gate.activated_first);
  const at::Tensor activated_TF = x.activated_TF.contiguous();
  at::Tensor value_TF = at::empty_like(activated_TF), slope_TF = at::empty_like(activated_TF);
  reference::activate_out(gate.activation, activated_TF, value_TF, slope_TF);
  at::Tensor other_TF = x.other_TF, kept_other_TF = value_TF;
  if (dropout.active()) {
    const at::Tensor factors_TF = dropout_multiplier_TD(dropout, input, other_TF.size(1), other_TF.scalar_type());
    other_TF = other_TF * factors_TF;
    kept_other_TF = value_TF * factors_TF;
  }
  after_TF.copy_(value_TF * other_TF);
  if (!kept_T2F.defined()) return;
  const Halves kept = halves(kept_T2F, gate.activated_first);
  kept.activated_TF.copy_(slope_TF * other_TF);
  kept.other_TF.copy_(kept_other_TF);  // last: it may be the memory of other
}

void gate_backward(const at::Tensor& d_after_TF, const at::Tensor& kept_T2F, at::Tensor d_T2F, at::Tensor d_bias_2F) {
  const int64_t width = d_after_TF.size(1);
  for (int64_t half : {int64_t{0}, width})
    d_T2F.narrow(1, half, width).copy_(d_after_TF * kept_T2F.narrow(1, half, width));
  if (d_bias_2F.defined()) d_bias_2F.add_(d_T2F.sum(at::IntArrayRef{0}, false, d_bias_2F.scalar_type()));
}

}  // namespace reference

}  // namespace st
