#include "ops/embedding_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/index_add.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros_like.h>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/cpu_call.h"
#include "ops/norm_math.h"

namespace st {

namespace {

constexpr int64_t kGrain = 16;

// Adds the rows of d_TD to the rows of the tables. Threads share columns, not tokens: the order of the sums is that of
// the tokens whatever the number of threads.
template <typename S>
void add_rows(const Input& input, const at::Tensor& d_TD, const EmbeddingTables& d_tables) {
  using A = kernels::arithmetic_t<S>;
  const int64_t width = d_TD.size(1);
  const kernels::EmbeddingTablesBackward<A> call{width,
                                                 input.tokens(),
                                                 data<int32_t>(input.ids_T),
                                                 data<int32_t>(input.positions_T),
                                                 data<int32_t>(input.types_T),
                                                 data<A>(d_TD),
                                                 data<A>(d_tables.word_VD),
                                                 data<A>(d_tables.position_PD),
                                                 data<A>(d_tables.type_KD)};
  parallel_ranges(width, parallel_parts(width, 64), [&](int64_t, int64_t begin, int64_t end) {
    kernels::table<S>().embedding_tables_backward(call, begin, end);
  });
}

}  // namespace

void embedding_norm(const Input& input, const DropoutMask& mask, const EmbeddingTables& tables,
                    const NormWeights& weights, at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T,
                    at::Tensor rstd_T) {
  const ProfileScope scope("embedding");
  if (!sum_TD.is_cpu()) {
    return reference::embedding_norm(input, mask, tables, weights, sum_TD, out_TD, mean_T, rstd_T);
  }
  with_storage(out_TD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = sum_TD.size(1);
    const kernels::EmbeddingNorm<S> call{width,
                                         static_cast<A>(weights.epsilon),
                                         mask.dropout,
                                         token_places(input),
                                         data<int32_t>(input.ids_T),
                                         data<int32_t>(input.types_T),
                                         data<A>(tables.word_VD),
                                         data<A>(tables.position_PD),
                                         data<A>(tables.type_KD),
                                         data<A>(weights.gamma_D),
                                         data<A>(weights.beta_D),
                                         data<A>(sum_TD),
                                         data<S>(out_TD),
                                         data<A>(mean_T),
                                         data<A>(rstd_T),
                                         data<uint16_t>(mask.kept_TM)};
    parallel_ranges(input.tokens(), parallel_parts(input.tokens(), kGrain), [&](int64_t, int64_t begin, int64_t end) {
      kernels::table<S>().embedding_norm(call, begin, end, thread_scratch<A>(kernels::norm_scratch(width)));
    });
  });
}

void embedding_norm_backward(const Input& input, const DropoutMask& mask, const at::Tensor& gamma_D,
                             const at::Tensor& d_out_TD, at::Tensor sum_TD, const at::Tensor& mean_T,
                             const at::Tensor& rstd_T, EmbeddingTables d_tables, at::Tensor d_gamma_D,
                             at::Tensor d_beta_D) {
  const ProfileScope scope("embedding, backward");
  if (!sum_TD.is_cpu()) {
    return reference::embedding_norm_backward(input, mask, gamma_D, d_out_TD, sum_TD, mean_T, rstd_T, d_tables,
                                              d_gamma_D, d_beta_D);
  }
  with_storage(d_out_TD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = sum_TD.size(1), parts = parallel_parts(input.tokens(), kGrain);
    const kernels::EmbeddingNormBackward<S> call{width,
                                                 static_cast<A>(mask.dropout.scale),
                                                 data<uint16_t>(mask.kept_TM),
                                                 data<A>(gamma_D),
                                                 data<S>(d_out_TD),
                                                 data<A>(sum_TD),
                                                 data<A>(mean_T),
                                                 data<A>(rstd_T)};
    std::vector<A> partial(parts * 2 * width);
    parallel_ranges(input.tokens(), parts, [&](int64_t part, int64_t begin, int64_t end) {
      kernels::table<S>().embedding_norm_backward(call, begin, end, partial.data() + part * 2 * width,
                                                  thread_scratch<A>(kernels::norm_scratch(width)));
    });
    add_partials(partial, {d_gamma_D, d_beta_D});
    add_rows<S>(input, sum_TD, d_tables);
  });
}

namespace reference {

void embedding_norm(const Input& input, const DropoutMask& mask, const EmbeddingTables& tables,
                    const NormWeights& weights, at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T,
                    at::Tensor rstd_T) {
  const at::Tensor type_TD =
      input.types_T.defined() ? tables.type_KD.index_select(0, input.types_T) : tables.type_KD.narrow(0, 0, 1);
  sum_TD.copy_(tables.word_VD.index_select(0, input.ids_T) + type_TD +
               tables.position_PD.index_select(0, input.positions_T));
  const Normalized n = normalize(sum_TD, weights.epsilon);
  at::Tensor y_TD = n.normal_TD * weights.gamma_D + weights.beta_D;
  if (mask.dropout.active()) y_TD = y_TD * dropout_multiplier_TD(mask.dropout, input, y_TD.size(1), y_TD.scalar_type());
  out_TD.copy_(y_TD);
  if (mean_T.defined()) {
    mean_T.copy_(n.mean_T1.squeeze(1));
    rstd_T.copy_(n.rstd_T1.squeeze(1));
  }
}

void embedding_norm_backward(const Input& input, const DropoutMask& mask, const at::Tensor& gamma_D,
                             const at::Tensor& d_out_TD, at::Tensor sum_TD, const at::Tensor& mean_T,
                             const at::Tensor& rstd_T, EmbeddingTables d_tables, at::Tensor d_gamma_D,
                             at::Tensor d_beta_D) {
  at::Tensor dy_TD = d_out_TD.to(gamma_D.scalar_type());
  if (mask.dropout.active())
    dy_TD = dy_TD * dropout_multiplier_TD(mask.dropout, input, dy_TD.size(1), dy_TD.scalar_type());
  const at::Tensor d_TD = normalize_backward(dy_TD, sum_TD, mean_T, rstd_T, gamma_D, d_gamma_D, d_beta_D);
  d_tables.word_VD.index_add_(0, input.ids_T, d_TD);
  d_tables.position_PD.index_add_(0, input.positions_T, d_TD);
  d_tables.type_KD.index_add_(0, input.types_T.defined() ? input.types_T : at::zeros_like(input.ids_T), d_TD);
  sum_TD.copy_(d_TD);
}

}  // namespace reference

}  // namespace st
