#pragma once

#include <algorithm>
#include <optional>

#include "layers/linear.h"
#include "layers/norm.h"
#include "layers/stream.h"
#include "ops/dropout.h"
#include "ops/linear_branch_norm.h"
#include "ops/linear_residual_norm.h"

namespace st {

// Whether the norm at the end of a branch replaces the sum (post-norm) or is only the input of the next block
// (pre-norm).
enum class NormPlace { kPost, kPre };

// The end of both halves of a transformer layer: sum = residual + dropout(linear(x)), and a norm of the sum. The
// branch, linear(x), may have a norm of its own.
class OutputBlock {
 public:
  OutputBlock() = default;
  OutputBlock(Linear linear, Norm norm, NormPlace place, double dropout, uint32_t site,
              std::optional<Norm> branch_norm = {})
      : linear_(linear), norm_(norm), place_(place), dropout_(dropout), site_(site), branch_norm_(branch_norm) {}

  // What a training pass keeps for the backward pass.
  struct Kept {
    at::Tensor sum_TD, mean_T, rstd_T;
    DropoutMask mask;
    BranchKept branch;
    at::Tensor inner_TR;  // of the linear layer's adapter
  };

  NormPlace place() const { return place_; }
  bool is_trained(const Gradients& gradients) const {
    return linear_.is_trained(gradients) || norm_.is_trained(gradients) ||
           (branch_norm_ && branch_norm_->is_trained(gradients));
  }
  // Memory for the stream that forward() writes.
  Stream take_stream(const Pass& pass) const;
  bool is_frozen(const Pass& pass) const { return linear_.is_frozen(pass); }
  Kept keep(const Pass& pass) const;
  // `kept` is from keep(). out may use the memory of `residual` if no backward pass follows.
  void forward(const Pass& pass, const at::Tensor& x_TI, const Stream& residual, const Stream& out, Kept& kept) const;
  GraphStream add_to(onnx::Graph& graph, const onnx::Value& x, const GraphStream& residual) const;
  // The gradient of the linear layer's output, in the pass's workspace, and the layer's W: their product is the
  // gradient of x.
  struct Back {
    at::Tensor d_y_TD;
    Weight weight;
  };
  // All gradients but that of x, which may be undefined if takes_rows(). Leaves that of the residual in the memory of
  // d_out.sum.
  Back backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out,
                const at::Tensor& x_TI) const;
  // Calls make(first, x_BI) for all rows of x, a block after the other, which are used while they are in the cache.
  // For an x [T, width] that backward() has not got.
  bool takes_rows(const Pass& pass) const { return linear_.takes_rows(pass); }
  template <typename Make>
  void backward_rows(const Pass& pass, Gradients& gradients, const Back& back, int64_t width, const Make& make) const {
    constexpr int64_t kBlock = 64;
    const Scratch scratch(pass.workspace);
    const int64_t tokens = pass.input.tokens();
    const at::Tensor block_BI = pass.workspace.take({std::min(kBlock, tokens), width}, pass.compute());
    for (int64_t first = 0; first < tokens; first += kBlock) {
      const at::Tensor x_BI = block_BI.narrow(0, 0, std::min(kBlock, tokens - first));
      make(first, x_BI);
      linear_.backward_rows(pass, gradients, back.weight, first, x_BI);
    }
  }

 private:
  Linear linear_;
  Norm norm_;
  NormPlace place_ = NormPlace::kPost;
  double dropout_ = 0;
  uint32_t site_ = 0;
  std::optional<Norm> branch_norm_;
};

}  // namespace st
