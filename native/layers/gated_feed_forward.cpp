#include "layers/gated_feed_forward.h"

#include "core/yield.h"
#include "onnx/ops.h"

namespace st {

GatedFeedForward::Kept GatedFeedForward::keep(const Pass& pass) const {
  Kept kept;
  if (pass.training && inner_.is_frozen(pass) && output_.is_frozen(pass)) {
    kept.before_T2F = pass.take(inner_.width());
  } else {
    if (pass.training) kept.gate_T2F = pass.take(inner_.width());
    kept.after_TF = pass.take(inner_.width() / 2);
  }
  kept.inner_TR = inner_.keep(pass);
  kept.output = output_.keep(pass);
  return kept;
}

GatedFeedForward::Kept GatedFeedForward::forward(const Pass& pass, const Stream& in, const Stream& out) const {
  Kept kept = keep(pass);
  kept.x_TD = in.x_TD;
  kept.reads_sum = in.is_one();
  const Scratch scratch(pass.workspace);
  const at::Tensor after_TF = kept.after_TF.defined() ? kept.after_TF : pass.take(inner_.width() / 2);
  {
    const Scratch of_product(pass.workspace);
    linear_gate(pass.input, in.x_TD, inner_.weight(pass, in.x_TD, kept.inner_TR), inner_.bias(pass), gate_,
                pass.dropout_at(site_, dropout_), kept.gate_T2F, after_TF, kept.before_T2F);
  }
  yield_here();
  output_.forward(pass, after_TF, in, out, kept.output);
  return kept;
}

GraphStream GatedFeedForward::add_to(onnx::Graph& graph, const GraphStream& in) const {
  const int64_t half = inner_.width() / 2;
  const std::vector<onnx::Value> halves = inner_.add_to(graph, in.x, {half, half});
  const size_t activated = gate_.activated_first ? 0 : 1;
  const onnx::Value gate = onnx::activate(graph, gate_.activation, halves[activated]);
  return output_.add_to(graph, onnx::multiply(graph, gate, halves[1 - activated]), in);
}

Stream GatedFeedForward::backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const {
  const Scratch scratch(pass.workspace);
  at::Tensor d_T2F = pass.take(inner_.width());
  const at::Tensor before_T2F = kept.before_T2F, gate_T2F = before_T2F.defined() ? before_T2F : kept.gate_T2F;
  const Dropout dropout = pass.dropout_at(site_, dropout_);
  const bool by_rows = before_T2F.defined() && !dropout.active() && output_.takes_rows(pass);
  at::Tensor after_TF = kept.after_TF;
  if (before_T2F.defined() && !by_rows) {
    // In memory that is written when nobody reads `after` any more.
    after_TF = d_T2F.view(-1).narrow(0, 0, d_T2F.numel() / 2).view({d_T2F.size(0), inner_.width() / 2});
    gate_again(pass.input, before_T2F, gate_, dropout, gate_T2F, after_TF);
  }
  const OutputBlock::Back back = output_.backward(pass, gradients, kept.output, d_out, after_TF);
  if (by_rows) {
    output_.backward_rows(pass, gradients, back, inner_.width() / 2, [&](int64_t first, const at::Tensor& after_BF) {
      const at::Tensor rows_B2F = before_T2F.narrow(0, first, after_BF.size(0));
      gate_again(pass.input, rows_B2F, gate_, dropout, rows_B2F, after_BF);
    });
  }
  linear_gate_backward(back.d_y_TD, back.weight, gate_T2F, d_T2F, inner_.bias_gradient(gradients));
  const Stream d_in = kept.reads_sum ? Stream(d_out.sum_TD) : d_out;
  inner_.backward(pass, gradients, kept.x_TD, kept.inner_TR, d_T2F, d_in.x_TD, kept.reads_sum);
  return d_in;
}

}  // namespace st
