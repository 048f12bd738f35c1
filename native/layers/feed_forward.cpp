#include "layers/feed_forward.h"

#include "core/yield.h"
#include "onnx/ops.h"
#include "ops/linear_activation.h"

namespace st {

FeedForward::Kept FeedForward::keep(const Pass& pass) const {
  Kept kept;
  if (pass.training && inner_.is_frozen(pass) && output_.is_frozen(pass)) {
    kept.before_TF = pass.take(inner_.width());
  } else {
    if (pass.training) kept.slope_TF = pass.take(inner_.width());
    kept.after_TF = pass.take(inner_.width());
  }
  kept.inner_TR = inner_.keep(pass);
  kept.output = output_.keep(pass);
  return kept;
}

FeedForward::Kept FeedForward::forward(const Pass& pass, const Stream& in, const Stream& out) const {
  Kept kept = keep(pass);
  kept.x_TD = in.x_TD;
  kept.reads_sum = in.is_one();
  const Scratch scratch(pass.workspace);
  const at::Tensor after_TF = kept.after_TF.defined() ? kept.after_TF : pass.take(inner_.width());
  {
    const Scratch of_product(pass.workspace);
    linear_activation(pass.input, in.x_TD, inner_.weight(pass, in.x_TD, kept.inner_TR), inner_.bias(pass), activation_,
                      pass.dropout_at(site_, dropout_), kept.slope_TF, after_TF, kept.before_TF);
  }
  yield_here();
  output_.forward(pass, after_TF, in, out, kept.output);
  return kept;
}

GraphStream FeedForward::add_to(onnx::Graph& graph, const GraphStream& in) const {
  return output_.add_to(graph, onnx::activate(graph, activation_, inner_.add_to(graph, in.x)), in);
}

Stream FeedForward::backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const {
  const Scratch scratch(pass.workspace);
  at::Tensor d_TF = pass.take(inner_.width());
  const at::Tensor before_TF = kept.before_TF, slope_TF = before_TF.defined() ? before_TF : kept.slope_TF;
  const Dropout dropout = pass.dropout_at(site_, dropout_);
  const bool by_rows = before_TF.defined() && !dropout.active() && output_.takes_rows(pass);
  at::Tensor after_TF = kept.after_TF;
  if (before_TF.defined() && !by_rows) {
    after_TF = d_TF;  // which is written when nobody reads `after` any more
    activate_out(activation_, before_TF, after_TF, slope_TF);
    drop(pass.input, dropout, after_TF, slope_TF);
  }
  const OutputBlock::Back back = output_.backward(pass, gradients, kept.output, d_out, after_TF);
  if (by_rows) {
    output_.backward_rows(pass, gradients, back, inner_.width(), [&](int64_t first, const at::Tensor& after_BF) {
      const at::Tensor rows_BF = before_TF.narrow(0, first, after_BF.size(0));
      activate_out(activation_, rows_BF, after_BF, rows_BF);
    });
  }
  linear_activation_backward(back.d_y_TD, back.weight, slope_TF, d_TF, inner_.bias_gradient(gradients));
  const Stream d_in = kept.reads_sum ? Stream(d_out.sum_TD) : d_out;
  inner_.backward(pass, gradients, kept.x_TD, kept.inner_TR, d_TF, d_in.x_TD, kept.reads_sum);
  return d_in;
}

}  // namespace st
