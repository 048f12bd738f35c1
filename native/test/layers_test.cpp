// Every layer against central differences in float64, with dropout replayed from its key.
#include <ATen/ops/zeros.h>

#include "layers/feed_forward.h"
#include "layers/output_block.h"
#include "layers/self_attention.h"
#include "support.h"

namespace st::test {

namespace {

constexpr double kEpsilon = 1e-5;

at::Tensor doubles(at::IntArrayRef shape, uint64_t seed) {
  return random_tensor(shape, at::kDouble, seed);
}

constexpr LayerSizes kSizes{8, 2, 11, kEpsilon, 0.2, 0.3};

// Runs `forward` and `backward` of a layer whose parameters are in `parameters` (laid out, not allocated), on x [8, 8].
struct LayerCheck {
  PackedBatch batch = batch_of({1, 5, 2});
  Input input{batch, at::kCPU};
  Parameters& parameters;
  Workspace workspace{at::kCPU};
  at::Tensor x = doubles({8, 8}, 1), w = doubles({8, 8}, 2);

  explicit LayerCheck(Parameters& given) : parameters(given) {
    parameters.allocate(at::kCPU, at::kDouble);
    parameters.flat().copy_(doubles({parameters.layout.size()}, 3));
  }
  Pass pass() { return {input, parameters, workspace, true, DropoutKey(1, 2, 3)}; }

  void run(const std::function<at::Tensor(const Pass&)>& forward,
           const std::function<at::Tensor(const Pass&, Gradients&, at::Tensor)>& backward) {
    const auto value = [&] {
      workspace.reset();
      return (forward(pass()) * w).sum().item<double>();
    };
    value();
    Gradients gradients(parameters.layout, parameters.flat());
    const at::Tensor d_x = backward(pass(), gradients, w.clone()).clone();
    expect_gradient(value, x, d_x, "x");
    expect_gradient(value, parameters.flat(), gradients.flat(), "parameters");
  }
};

TEST(Differences, OutputBlockLayer) {
  Parameters parameters;
  OutputBlock block(parameters.layout, "block", 6, 8, kEpsilon, 0.2, 3);
  LayerCheck check(parameters);
  const at::Tensor inner = doubles({8, 6}, 7);
  at::Tensor d_inner = at::zeros({8, 6}, at::kDouble);
  OutputBlock::Kept kept;
  const auto forward = [&](const Pass& pass) {
    at::Tensor out = pass.take(8);
    block.forward(pass, inner, check.x, out, kept);
    return out;
  };
  check.run(forward, [&](const Pass& pass, Gradients& gradients, at::Tensor d_out) {
    const at::Tensor d_y = block.backward(pass, kept, gradients, d_out, inner);
    linear_backward_input(d_y, block.weight(pass), d_inner, false);
    return d_out;
  });
  const auto value = [&] {
    check.workspace.reset();
    return (forward(check.pass()) * check.w).sum().item<double>();
  };
  expect_gradient(value, inner, d_inner, "input of the linear layer");
}

TEST(Differences, SelfAttentionLayer) {
  Parameters parameters;
  SelfAttention layer(parameters.layout, "attention", kSizes, 1);
  LayerCheck check(parameters);
  SelfAttention::Kept kept;
  check.run(
      [&](const Pass& pass) {
        at::Tensor out = pass.take(8);
        layer.forward(pass, check.x, out, kept);
        return out;
      },
      [&](const Pass& pass, Gradients& gradients, at::Tensor d_out) {
        return layer.backward(pass, kept, gradients, d_out);
      });
}

TEST(Differences, FeedForwardLayer) {
  for (Activation activation : {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu, Activation::kSilu}) {
    SCOPED_TRACE(static_cast<int>(activation));
    Parameters parameters;
    FeedForward layer(parameters.layout, "layer", kSizes, activation, 1);
    LayerCheck check(parameters);
    FeedForward::Kept kept;
    check.run(
        [&](const Pass& pass) {
          at::Tensor out = pass.take(8);
          layer.forward(pass, check.x, out, kept);
          return out;
        },
        [&](const Pass& pass, Gradients& gradients, at::Tensor d_out) {
          return layer.backward(pass, kept, gradients, d_out);
        });
  }
}

}  // namespace

}  // namespace st::test
