// Pooling that reads the bounds of rows on the device: for recorded steps, and wherever the device has the bounds.
// Padding is pooled like texts and then cut off, which gives its tokens a gradient of zeros.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/index_add.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "core/error.h"
#include "core/profile.h"
#include "ops/cuda.h"
#include "ops/pooling.h"

namespace st {

namespace {

struct Spans {
  Spans(const Input& input, bool include_prompt)
      : start_R(input.offsets_R1.narrow(0, 0, input.batch.rows())),
        end_R(input.offsets_R1.narrow(0, 1, input.batch.rows())),
        first_R(include_prompt || !input.first_R.defined() ? start_R : input.first_R) {}
  at::Tensor start_R, end_R, first_R;
};

// The weight of a token's embedding in its row's sum; 0 in prompts that are left out.
at::Tensor weights_T(const Input& input, const Spans& spans, const std::string& mode) {
  const at::Tensor skipped_R = spans.first_R - spans.start_R;
  const at::Tensor count_R = (spans.end_R - spans.first_R).to(at::kDouble);
  at::Tensor factor_R;
  if (mode == "mean") {
    factor_R = count_R.reciprocal();
  } else if (mode == "mean_sqrt_len_tokens") {
    factor_R = count_R.sqrt().reciprocal();
  } else {  // weightedmean
    factor_R = 2 / ((skipped_R + 1 + spans.end_R - spans.start_R).to(at::kDouble) * count_R);
  }
  at::Tensor weight_T = factor_R.index_select(0, input.rows_T);
  if (mode == "weightedmean") weight_T = weight_T * (input.positions_T + 1);
  return weight_T.masked_fill(input.positions_T < skipped_R.index_select(0, input.rows_T), 0);
}

at::Tensor pool_by(const std::string& mode, const at::Tensor& x_TD, const Input& input, const Spans& spans) {
  check(pools_fixed(mode), "ERR_LIBTORCH", "Pooling mode ", mode, " in a step that is recorded");
  if (mode == "cls") return x_TD.index_select(0, spans.first_R.narrow(0, 0, input.texts()));
  if (mode == "lasttoken") return x_TD.index_select(0, spans.end_R.narrow(0, 0, input.texts()) - 1);
  const at::Tensor weights_T1 = weights_T(input, spans, mode).to(x_TD.scalar_type()).unsqueeze(1);
  const at::Tensor zeros = at::zeros({input.batch.rows(), x_TD.size(1)}, x_TD.options());
  return zeros.index_add(0, input.rows_T, x_TD * weights_T1).narrow(0, 0, input.texts());
}

}  // namespace

bool pools_fixed(const std::string& mode) {
  return mode != "max";  // whose shapes are those of the rows
}

at::Tensor pool(const at::Tensor& x_TD, const Input& input, const std::vector<std::string>& modes, bool include_prompt,
                bool normalize) {
  const bool knows_rows = input.offsets_R1.defined() && (include_prompt || input.batch.prompt_lengths.empty()) &&
                          std::all_of(modes.begin(), modes.end(), pools_fixed);
  at::Tensor out_RD;
  if (input.fixed || knows_rows) {
    const ProfileScope scope("pooling");
    const Spans spans(input, include_prompt);
    if (modes.size() == 1 && modes[0] == "mean" && x_TD.is_cuda() && cuda::takes_rows(x_TD)) {
      return cuda::mean_pool(x_TD, spans.first_R.narrow(0, 0, input.texts()), spans.end_R.narrow(0, 0, input.texts()),
                             normalize);
    }
    std::vector<at::Tensor> parts;
    for (const std::string& mode : modes) parts.push_back(pool_by(mode, x_TD, input, spans));
    out_RD = parts.size() == 1 ? parts[0] : at::cat(parts, 1);
  } else {
    out_RD = pool(x_TD, input.batch, modes, include_prompt);
  }
  return normalize ? normalized(out_RD) : out_RD;
}

}  // namespace st
