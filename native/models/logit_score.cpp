#include "models/logit_score.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tanh.h>

#include "core/error.h"
#include "core/upload.h"
#include "onnx/ops.h"

namespace st {

namespace {

class LogitScore : public Head {
 public:
  LogitScore(const Config& module, ParamId matrix, int64_t vocabulary, double softcap)
      : rows_{matrix, {}}, softcap_(softcap) {
    for (const char* key : {"trueTokenId", "falseTokenId"}) {
      if (rows_.rows.size() == 1 && !module.has(key)) continue;
      const int64_t token = module.integer(key);
      check(token >= 0 && token < vocabulary, "ERR_INVALID_MODEL", "Expected a token from 0 to ", vocabulary - 1,
            " for ", key, " of LogitScore but found ", token);
      rows_.rows.push_back(static_cast<int32_t>(token));
    }
  }

  void forward(HeadState& state) const override {
    const Rows& batch = state.pass.input.batch;
    std::vector<int64_t> last;
    for (int64_t row = 0; row < batch.rows(); ++row) last.push_back(batch.offsets[row + 1] - 1);
    const at::Tensor x_RD = at::index_select(state.tokens_TD, 0, upload<int64_t>(last, state.tokens_TD.device()));
    at::Tensor logits_RK = at::linear(x_RD, state.rows_KD);
    if (softcap_ > 0) logits_RK = at::tanh(logits_RK / softcap_) * softcap_;
    const at::Tensor score_R1 = logits_RK.narrow(1, 0, 1);
    state.sentence_RD = rows_.rows.size() == 1 ? score_R1 : score_R1 - logits_RK.narrow(1, 1, 1);
  }

  bool add_to(HeadGraph& state) const override {
    onnx::Graph& graph = state.graph;
    const onnx::Value last_B = onnx::last_place_B(graph, onnx::mask_BS(graph));
    const onnx::Value x_BD = onnx::token_BD(graph, state.tokens, last_B);
    const std::vector<int64_t> tokens(rows_.rows.begin(), rows_.rows.end());
    const onnx::Value rows_KD = graph.add("Gather", {graph.parameter(rows_.matrix), graph.integers(tokens)});
    const onnx::Value rows_DK = graph.add("Transpose", {rows_KD}, {{"perm", std::vector<int64_t>{1, 0}}});
    onnx::Value logits_BK = graph.add("MatMul", {x_BD, rows_DK});
    if (softcap_ > 0) {
      const onnx::Value cap = graph.number(softcap_);
      logits_BK = onnx::multiply(graph, graph.add("Tanh", {graph.add("Div", {logits_BK, cap})}), cap);
    }
    const std::vector<onnx::Value> parts =
        tokens.size() == 1 ? std::vector<onnx::Value>{logits_BK} : onnx::split(graph, logits_BK, {1, 1});
    state.sentence = parts.size() == 1 ? parts[0] : graph.add("Sub", {parts[0], parts[1]});
    return true;
  }

  int64_t width() const override { return 1; }
  // The last tokens of rows lie elsewhere in each batch.
  bool takes_fixed() const override { return false; }
  const ParameterRows* rows() const override { return &rows_; }

 private:
  ParameterRows rows_;
  double softcap_;
};

}  // namespace

std::unique_ptr<Head> make_logit_score_head(const Config& module, ParamId matrix, int64_t vocabulary, double softcap) {
  return std::make_unique<LogitScore>(module, matrix, vocabulary, softcap);
}

}  // namespace st
