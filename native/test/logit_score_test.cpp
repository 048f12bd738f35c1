// The score of a language model against all of its logits, with its gradients.
#include "models/logit_score.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "support.h"

namespace st::test {

namespace {

at::Tensor sines(at::IntArrayRef shape, double factor) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return at::sin(at::arange(count, at::kDouble) * factor + 1).view(shape);
}

Config module_of(double yes, double no) {
  Config::Object out{{"type", text("LogitScore")}, {"trueTokenId", yes}};
  if (no >= 0) out.emplace("falseTokenId", no);
  return out;
}

}  // namespace

TEST(LogitScore, IsTheDifferenceOfTwoOfAllLogitsAfterTheLastTokenOfEachRow) {
  constexpr int64_t kVocabulary = 9, kWidth = 5;
  PackedBatch batch;
  batch.ids = {1, 2, 3, 4, 5, 6};
  batch.offsets = {0, 3, 4, 6};
  const Input input(batch, at::kCPU);
  Parameters parameters;
  const ParamId matrix = parameters.layout.add("0.lm_head.weight", {kVocabulary, kWidth}, Group::kDecay);
  parameters.allocate(at::kCPU, at::kDouble);
  parameters.flat().narrow(0, 0, kVocabulary * kWidth).copy_(sines({kVocabulary * kWidth}, 0.7));
  Workspace workspace{at::kCPU};
  const Pass pass{.input = input, .parameters = parameters, .workspace = workspace};
  const std::vector<at::Tensor> values = parameters.layout.views(parameters.flat());
  for (const double cap : {0.0, 0.8}) {
    for (const double no : {-1.0, 2.0, 7.0}) {
      const std::unique_ptr<Head> head = make_logit_score_head(module_of(7, no), matrix, kVocabulary, cap);
      EXPECT_EQ(head->width(), 1);
      EXPECT_FALSE(head->takes_fixed());
      const ParameterRows& rows = *head->rows();
      const at::Tensor x_TD = sines({6, kWidth}, 0.3).requires_grad_(true);
      const at::Tensor rows_KD = parameters.rows_in_master(matrix, rows.rows).requires_grad_(true);
      HeadState state{pass, x_TD, {}, {}, values, rows_KD};
      head->forward(state);

      const at::Tensor all_VD = values[0].detach().clone().requires_grad_(true);
      at::Tensor logits_RV = at::linear(at::index_select(x_TD, 0, at::tensor({2, 3, 5}, at::dtype(at::kLong))), all_VD);
      if (cap > 0) logits_RV = at::tanh(logits_RV / cap) * cap;
      at::Tensor score_R = logits_RV.select(1, 7);
      if (no >= 0) score_R = score_R - logits_RV.select(1, static_cast<int64_t>(no));
      ASSERT_EQ(state.sentence_RD.sizes(), at::IntArrayRef({3, 1}));
      EXPECT_TRUE(state.sentence_RD.flatten().allclose(score_R, 1e-14, 1e-14));

      const at::Tensor d_R = sines({3}, 0.9);
      const auto found = torch::autograd::grad({state.sentence_RD.flatten()}, {x_TD, rows_KD}, {d_R});
      const auto expected = torch::autograd::grad({score_R}, {x_TD, all_VD}, {d_R});
      EXPECT_TRUE(found[0].allclose(expected[0], 1e-14, 1e-14));
      at::Tensor d_VD = at::zeros_like(all_VD);
      const std::vector<int64_t> places(rows.rows.begin(), rows.rows.end());
      d_VD.index_add_(0, at::tensor(places, at::dtype(at::kLong)), found[1]);
      EXPECT_TRUE(d_VD.allclose(expected[1], 1e-14, 1e-14));
    }
  }
}

TEST(LogitScore, RefusesTokensOutsideOfTheVocabulary) {
  for (const double token : {-2.0, 9.0}) {
    expect_error("ERR_INVALID_MODEL", "from 0 to 8", [&] { make_logit_score_head(module_of(token, 1), 0, 9, 0); });
  }
  expect_error("ERR_INVALID_MODEL", "falseTokenId", [] { make_logit_score_head(module_of(3, 9), 0, 9, 0); });
}

}  // namespace st::test
