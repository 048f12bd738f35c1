#include "ops/linear_head_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sum.h>

#include <vector>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/linear_rows.h"

namespace st {

namespace {

constexpr int64_t kGrain = 16;  // tokens that are worth a thread

template <typename S>
kernels::HeadNorm<S> call_of(const HeadNorms& norms, const RotaryShape& shape, const RotaryAngles& angles,
                             const at::Tensor& kept_TK, int64_t width) {
  using A = kernels::arithmetic_t<S>;
  return {.rotary = {.width = width,
                     .heads = shape.heads,
                     .head_dim = shape.head_dim,
                     .rotated = shape.rotated,
                     .positions_T = data<int32_t>(angles.places_T),
                     .table_PR = data<A>(angles.table_PR)},
          .query_heads = norms.query_heads,
          .epsilon_query = static_cast<A>(norms.query.epsilon),
          .epsilon_key = static_cast<A>(norms.key.epsilon),
          .gamma_query_E = data<A>(norms.query.gamma_D),
          .gamma_key_E = data<A>(norms.key.gamma_D),
          .kept_TK = data<S>(kept_TK)};
}

}  // namespace

void linear_head_norm(const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_X, const HeadNorms& norms,
                      const RotaryShape& shape, const RotaryAngles& angles, at::Tensor kept_TK, at::Tensor out_TX) {
  const ProfileScope scope("linear + head norm");
  const bool fused = product::available(x_TI);
  if (!fused) linear(x_TI, weight, bias_X, out_TX);
  if (!has_kernels(x_TI)) {
    reference::head_norm(norms, shape, kept_TK, out_TX);
    return reference::rotate(shape, angles, false, out_TX);
  }
  with_storage(x_TI.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = out_TX.size(1), tokens = out_TX.size(0);
    const auto call = call_of<S>(norms, shape, angles, kept_TK, width);
    const auto work = [&](int64_t begin, int64_t end, const A* block, const A* bias) {
      kernels::table<S>().head_norm(call, begin, end, block, bias, data<S>(out_TX),
                                    thread_scratch<A, HeadNorms>(kernels::norm_scratch(width)));
    };
    if constexpr (!std::is_same_v<S, double>) {
      if (fused) {
        return linear_rows<S>(
            x_TI, weight, same_memory<S>(out_TX),
            [&](int64_t, int64_t begin, int64_t end, const A* sums) { work(begin, end, sums, data<A>(bias_X)); });
      }
    }
    parallel_ranges(tokens, parallel_parts(tokens, kGrain), [&](int64_t, int64_t begin, int64_t end) {
      for_rows(data<S>(out_TX), width, begin, end,
               [&](int64_t first, int64_t last, const A* block) { work(first, last, block, nullptr); });
    });
  });
}

void linear_head_norm_backward(const HeadNorms& norms, const RotaryShape& shape, const RotaryAngles& angles,
                               const at::Tensor& kept_TK, at::Tensor d_TX, const HeadNormGradients& sums) {
  const ProfileScope scope("head norm, backward");
  if (!has_kernels(d_TX)) {
    reference::rotate(shape, angles, true, d_TX);
    return reference::head_norm_backward(norms, shape, kept_TK, d_TX, sums);
  }
  with_storage(d_TX.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = d_TX.size(1), parts = parallel_parts(d_TX.size(0), kGrain), head = shape.head_dim;
    const auto call = call_of<S>(norms, shape, angles, kept_TK, width);
    std::vector<A> bias(parts * width), gamma(parts * 2 * head);
    parallel_ranges(d_TX.size(0), parts, [&](int64_t part, int64_t begin, int64_t end) {
      kernels::table<S>().head_norm_backward(call, begin, end, data<S>(d_TX), bias.data() + part * width,
                                             gamma.data() + part * 2 * head,
                                             thread_scratch<A, HeadNorms>(kernels::norm_scratch(width)));
    });
    add_partials(bias, width, {sums.bias_X});
    add_partials(gamma, head, {sums.query_E, sums.key_E});
  });
}

namespace reference {

namespace {

at::ScalarType arithmetic(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// [T, heads, E] of the queries or the keys.
at::Tensor heads_THE(const at::Tensor& x_TX, int64_t first, int64_t heads, int64_t head_dim) {
  return x_TX.narrow(1, first * head_dim, heads * head_dim).unflatten(1, {heads, head_dim});
}

at::Tensor rstd_TH1(const at::Tensor& x_THE, double epsilon) {
  return at::rsqrt((x_THE * x_THE).mean(at::IntArrayRef{2}, true) + epsilon);
}

// Calls work(norm, first head, heads, sum of gradients) for queries and for keys.
template <typename Work>
void for_both(const HeadNorms& norms, const RotaryShape& shape, const HeadNormGradients& sums, const Work& work) {
  work(norms.query, int64_t{0}, norms.query_heads, sums.query_E);
  work(norms.key, norms.query_heads, shape.heads - norms.query_heads, sums.key_E);
}

}  // namespace

void head_norm(const HeadNorms& norms, const RotaryShape& shape, at::Tensor kept_TK, at::Tensor x_TX) {
  const at::ScalarType type = arithmetic(x_TX);
  if (kept_TK.defined()) kept_TK.copy_(x_TX.narrow(1, 0, kept_TK.size(1)));
  for_both(norms, shape, {}, [&](const NormWeights& norm, int64_t first, int64_t heads, const at::Tensor&) {
    const at::Tensor to_THE = heads_THE(x_TX, first, heads, shape.head_dim), x_THE = to_THE.to(type);
    to_THE.copy_(x_THE * rstd_TH1(x_THE, norm.epsilon) * norm.gamma_D.to(type));
  });
}

void head_norm_backward(const HeadNorms& norms, const RotaryShape& shape, const at::Tensor& kept_TK, at::Tensor d_TX,
                        const HeadNormGradients& sums) {
  const at::ScalarType type = arithmetic(d_TX);
  for_both(norms, shape, sums, [&](const NormWeights& norm, int64_t first, int64_t heads, const at::Tensor& sum_E) {
    const at::Tensor x_THE = heads_THE(kept_TK, first, heads, shape.head_dim).to(type);
    const at::Tensor to_THE = heads_THE(d_TX, first, heads, shape.head_dim), d_THE = to_THE.to(type);
    const at::Tensor rstd = rstd_TH1(x_THE, norm.epsilon), normal_THE = x_THE * rstd;
    if (sum_E.defined()) at::Tensor(sum_E).add_((d_THE * normal_THE).sum(at::IntArrayRef{0, 1}));
    const at::Tensor g_THE = d_THE * norm.gamma_D.to(type);
    to_THE.copy_(rstd * (g_THE - normal_THE * (g_THE * normal_THE).mean(at::IntArrayRef{2}, true)));
  });
  if (sums.bias_X.defined())
    at::Tensor(sums.bias_X).add_(d_TX.sum(at::IntArrayRef{0}, false, sums.bias_X.scalar_type()));
}

}  // namespace reference

}  // namespace st
