#pragma once

#include <string>
#include <vector>

#include "layers/pass.h"
#include "onnx/graph.h"
#include "ops/linear.h"

namespace st {

// y = x W' + b, or without b: `<name>.weight` and `<name>.bias`. Several named layers of the same input may share one
// matrix (query, key, value). `second_name`: the name of that matrix in files that store it as one layer. An adapter
// may add to it (Parameters::low_ranks): apart from W in training, within W else.
class Linear {
 public:
  struct Part {
    std::string name;
    int64_t width;  // of its output
  };

  Linear() = default;
  Linear(Layout& layout, const std::string& name, int64_t in, int64_t out, bool bias = true);
  Linear(Layout& layout, const std::vector<Part>& parts, int64_t in, bool bias = true,
         const std::string& second_name = "");

  int64_t width() const { return width_; }

  // Memory for what an adapter makes of x, which forward() leaves for the way back: `inner_TR` of the other functions.
  // Undefined without a trained adapter.
  at::Tensor keep(const Pass& pass) const;
  void forward(const Pass& pass, const at::Tensor& x_TI, const at::Tensor& inner_TR, at::Tensor y_TO) const;
  // For ops that do more than forward(): W, with what is added for this x. Packed once for all passes that do not
  // train. What it adds lies in the pass's workspace.
  Weight weight(const Pass& pass, const at::Tensor& x_TI, const at::Tensor& inner_TR) const;
  // W [O, I] with what an adapter adds, for passes that do not train.
  const at::Tensor& whole(const Pass& pass) const;
  bool has_bias() const { return bias_ >= 0; }
  // All gradients but the bias's. With `accumulate`, adds to d_x, whose memory is none of the others'.
  void backward(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI, const at::Tensor& inner_TR,
                const at::Tensor& d_y_TO, at::Tensor d_x_TI, bool accumulate) const;
  // All gradients but those of bias and x. Returns W for the gradient of x, with what is added to that.
  Weight backward_weight(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI, const at::Tensor& inner_TR,
                         const at::Tensor& d_y_TO) const;
  // Whether backward_weight() takes no x, whose rows then come to backward_rows(), from row `first` on.
  bool takes_rows(const Pass& pass) const;
  void backward_rows(const Pass& pass, Gradients& gradients, const Weight& weight, int64_t first,
                     const at::Tensor& x_BI) const;
  bool is_trained(const Gradients& gradients) const {
    return gradients.reaches(weight_) || bias_gradient(gradients).defined();
  }
  // Whether its weights rest in this pass, but for what an adapter adds.
  bool is_frozen(const Pass& pass) const { return pass.parameters.freezes(weight_); }
  // For layers whose following op does not compute it.
  void backward_bias(Gradients& gradients, const at::Tensor& d_y_TO) const;

  // The columns of y in parts of these widths, as a graph; of y as a whole.
  std::vector<onnx::Value> add_to(onnx::Graph& graph, const onnx::Value& x, const std::vector<int64_t>& widths) const;
  onnx::Value add_to(onnx::Graph& graph, const onnx::Value& x) const { return add_to(graph, x, {width_})[0]; }

  // Undefined without a bias.
  at::Tensor bias(const Pass& pass) const { return bias_ >= 0 ? pass.parameters.master(bias_) : at::Tensor(); }
  at::Tensor bias_gradient(const Gradients& gradients) const { return bias_ >= 0 ? gradients[bias_] : at::Tensor(); }

 private:
  Weight packed(const Pass& pass) const;
  // Adds to the gradient of W. Returns W.
  Weight whole_gradient(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI, const at::Tensor& d_y_TO) const;

  ParamId weight_ = -1, bias_ = -1;
  int64_t width_ = 0;
};

}  // namespace st
