#include "ops/embedding_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/empty_like.h>
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

// Adds the rows of d_TD to the rows of the tables. Threads share columns, not tokens, so sums have the order of the
// tokens with any number of threads.
template <typename S>
void add_rows(const Input& input, const EmbeddingPlaces& places, const at::Tensor& d_TD,
              const EmbeddingTables& d_tables) {
  using A = kernels::arithmetic_t<S>;
  const int64_t width = d_TD.size(1);
  const kernels::EmbeddingTablesBackward<A> call{.width = width,
                                                 .tokens = input.tokens(),
                                                 .word_scale = static_cast<A>(places.word_scale),
                                                 .ids_T = data<int32_t>(input.ids_T),
                                                 .positions_T = data<int32_t>(places.positions_T),
                                                 .types_T = data<int32_t>(input.types_T),
                                                 .d_TD = data<A>(d_TD),
                                                 .word_VD = data<A>(d_tables.word_VD),
                                                 .position_PD = data<A>(d_tables.position_PD),
                                                 .type_KD = data<A>(d_tables.type_KD)};
  parallel_ranges(width, parallel_parts(width, 64), [&](int64_t, int64_t begin, int64_t end) {
    kernels::table<S>().embedding_tables_backward(call, begin, end);
  });
}

}  // namespace

at::Tensor positions_after_padding(const Input& input, int64_t padding) {
  const at::Tensor& ids_T = input.ids_T;
  if (!ids_T.is_cpu()) {
    const at::Tensor counts_T = ids_T.ne(padding).to(at::kInt), total_T = counts_T.cumsum(0, at::kInt);
    const at::Tensor starts_R = input.offsets_R1.narrow(0, 0, input.offsets_R1.size(0) - 1);
    const at::Tensor before_R = (total_T - counts_T).index_select(0, starts_R);
    return (total_T - before_R.index_select(0, input.rows_T)) * counts_T + padding;
  }
  at::Tensor out_T = at::empty_like(ids_T);
  const int32_t* ids = data<int32_t>(ids_T);
  int32_t* to = data<int32_t>(out_T);
  for (int64_t row = 0; row < input.batch.rows(); ++row) {
    auto position = static_cast<int32_t>(padding);
    for (int64_t t = input.batch.offsets[row]; t < input.batch.offsets[row + 1]; ++t) {
      to[t] = ids[t] == padding ? static_cast<int32_t>(padding) : ++position;
    }
  }
  return out_T;
}

void embedding_norm(const Input& input, const DropoutMask& mask, const EmbeddingTables& tables,
                    const EmbeddingPlaces& places, const NormWeights& weights, at::Tensor sum_TD, at::Tensor out_TD,
                    at::Tensor mean_T, at::Tensor rstd_T) {
  const ProfileScope scope("embedding");
  if (!has_kernels(out_TD)) {
    return reference::embedding_norm(input, mask, tables, places, weights, sum_TD, out_TD, mean_T, rstd_T);
  }
  with_storage(out_TD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = sum_TD.size(1);
    const kernels::EmbeddingNorm<S> call{
        .width = width,
        .word_scale = static_cast<A>(places.word_scale),
        .epsilon = static_cast<A>(weights.epsilon),
        .rms = weights.kind == NormKind::kRms,
        .dropout = mask.dropout,
        .tokens = token_places(input),
        .ids_T = data<int32_t>(places.words_T.defined() ? places.words_T : input.ids_T),
        .positions_T = data<int32_t>(places.positions_T),
        .types_T = data<int32_t>(input.types_T),
        .word_VD = data<A>(tables.word_VD),
        .position_PD = data<A>(tables.position_PD),
        .type_KD = data<A>(tables.type_KD),
        .gamma_D = data<A>(weights.gamma_D),
        .beta_D = data<A>(weights.beta_D),
        .sum_TD = data<A>(sum_TD),
        .out_TD = data<S>(out_TD),
        .mean_T = data<A>(mean_T),
        .rstd_T = data<A>(rstd_T),
        .mask_TM = data<uint16_t>(mask.kept_TM)};
    parallel_ranges(input.tokens(), parallel_parts(input.tokens(), kGrain), [&](int64_t, int64_t begin, int64_t end) {
      kernels::table<S>().embedding_norm(call, begin, end, thread_scratch<A>(kernels::norm_scratch(width)));
    });
  });
}

void embedding_norm_backward(const Input& input, const DropoutMask& mask, const EmbeddingPlaces& places,
                             const NormWeights& weights, const at::Tensor& d_out_TD, at::Tensor sum_TD,
                             const at::Tensor& mean_T, const at::Tensor& rstd_T, EmbeddingTables d_tables,
                             at::Tensor d_gamma_D, at::Tensor d_beta_D) {
  const ProfileScope scope("embedding, backward");
  if (!has_kernels(d_out_TD)) {
    return reference::embedding_norm_backward(input, mask, places, weights, d_out_TD, sum_TD, mean_T, rstd_T, d_tables,
                                              d_gamma_D, d_beta_D);
  }
  with_storage(d_out_TD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = sum_TD.size(1), parts = parallel_parts(input.tokens(), kGrain);
    const kernels::EmbeddingNormBackward<S> call{.width = width,
                                                 .rms = weights.kind == NormKind::kRms,
                                                 .dropout_scale = static_cast<A>(mask.dropout.scale),
                                                 .mask_TM = data<uint16_t>(mask.kept_TM),
                                                 .gamma_D = data<A>(weights.gamma_D),
                                                 .d_out_TD = data<S>(d_out_TD),
                                                 .sum_TD = data<A>(sum_TD),
                                                 .mean_T = data<A>(mean_T),
                                                 .rstd_T = data<A>(rstd_T)};
    std::vector<A> partial(parts * 2 * width);
    parallel_ranges(input.tokens(), parts, [&](int64_t part, int64_t begin, int64_t end) {
      kernels::table<S>().embedding_norm_backward(call, begin, end, partial.data() + part * 2 * width,
                                                  thread_scratch<A>(kernels::norm_scratch(width)));
    });
    add_partials(partial, width, {d_gamma_D, d_beta_D});
    add_rows<S>(input, places, sum_TD, d_tables);
  });
}

namespace reference {

void embedding_norm(const Input& input, const DropoutMask& mask, const EmbeddingTables& tables,
                    const EmbeddingPlaces& places, const NormWeights& weights, at::Tensor sum_TD, at::Tensor out_TD,
                    at::Tensor mean_T, at::Tensor rstd_T) {
  const at::Tensor& words_T = places.words_T.defined() ? places.words_T : input.ids_T;
  at::Tensor x_TD = tables.word_VD.index_select(0, words_T) * places.word_scale;
  if (tables.type_KD.defined()) {
    x_TD = x_TD +
           (input.types_T.defined() ? tables.type_KD.index_select(0, input.types_T) : tables.type_KD.narrow(0, 0, 1));
  }
  if (tables.position_PD.defined()) x_TD = x_TD + tables.position_PD.index_select(0, places.positions_T);
  sum_TD.copy_(x_TD);
  const bool normed = weights.gamma_D.defined();
  const Normalized n = normed ? normalize(sum_TD, weights) : Normalized{sum_TD, {}, {}};
  at::Tensor y_TD = n.out_TD;
  if (mask.dropout.active()) y_TD = y_TD * dropout_multiplier_TD(mask.dropout, input, y_TD.size(1), y_TD.scalar_type());
  out_TD.copy_(y_TD);
  if (normed && mean_T.defined()) {
    mean_T.copy_(n.mean_T1.squeeze(1));
    rstd_T.copy_(n.rstd_T1.squeeze(1));
  }
}

void embedding_norm_backward(const Input& input, const DropoutMask& mask, const EmbeddingPlaces& places,
                             const NormWeights& weights, const at::Tensor& d_out_TD, at::Tensor sum_TD,
                             const at::Tensor& mean_T, const at::Tensor& rstd_T, EmbeddingTables d_tables,
                             at::Tensor d_gamma_D, at::Tensor d_beta_D) {
  at::Tensor dy_TD = d_out_TD.to(sum_TD.scalar_type());
  if (mask.dropout.active())
    dy_TD = dy_TD * dropout_multiplier_TD(mask.dropout, input, dy_TD.size(1), dy_TD.scalar_type());
  const at::Tensor d_TD = weights.gamma_D.defined()
                              ? normalize_backward(dy_TD, sum_TD, mean_T, rstd_T, weights, d_gamma_D, d_beta_D)
                              : dy_TD;
  if (d_tables.word_VD.defined()) d_tables.word_VD.index_add_(0, input.ids_T, d_TD, places.word_scale);
  if (d_tables.position_PD.defined()) d_tables.position_PD.index_add_(0, places.positions_T, d_TD);
  if (d_tables.type_KD.defined()) {
    d_tables.type_KD.index_add_(0, input.types_T.defined() ? input.types_T : at::zeros_like(input.ids_T), d_TD);
  }
  sum_TD.copy_(d_TD);
}

}  // namespace reference

}  // namespace st
