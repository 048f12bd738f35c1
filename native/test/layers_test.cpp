// Every layer against central differences in float64, with dropout replayed from its key.
#include <ATen/ops/zeros.h>

#include "layers/embeddings.h"
#include "layers/feed_forward.h"
#include "layers/gated_feed_forward.h"
#include "layers/output_block.h"
#include "layers/self_attention.h"
#include "support.h"

namespace st::test {

namespace {

constexpr double kEpsilon = 1e-5;
constexpr int64_t kWidth = 8, kTokens = 8;

at::Tensor doubles(at::IntArrayRef shape, uint64_t seed) {
  return random_tensor(shape, at::kDouble, seed);
}

// The ways in which the norm of a block can stand.
struct Way {
  NormPlace place;
  NormOptions norm;
  bool bias;
  bool splits;  // the stream comes as a sum and its norm
  const char* name;
};
const Way kWays[] = {{NormPlace::kPost, {kEpsilon}, true, false, "post-norm"},
                     {NormPlace::kPre, {kEpsilon}, true, true, "pre-norm"},
                     {NormPlace::kPre, {kEpsilon, NormKind::kLayer, false}, false, false, "first, without biases"},
                     {NormPlace::kPre, {kEpsilon, NormKind::kRms, false, true}, false, true, "rms, 1 + weight"}};

OutputBlock output_of(Layout& layout, const Way& way, int64_t in) {
  const Linear linear(layout, "output.dense", in, kWidth, way.bias);
  return {linear, Norm(layout, "norm", kWidth, way.norm), way.place, 0.2, 3};
}

// Runs forward and backward of a block whose parameters are in `parameters` (laid out, not allocated).
struct BlockCheck {
  PackedBatch batch = batch_of({1, 5, 2});
  Input input{batch, at::kCPU};
  Parameters& parameters;
  Workspace workspace{at::kCPU};
  at::Tensor x = doubles({kTokens, kWidth}, 1), w = doubles({kTokens, kWidth}, 2);
  at::Tensor sum = doubles({kTokens, kWidth}, 3), v = doubles({kTokens, kWidth}, 4);

  explicit BlockCheck(Parameters& given) : parameters(given) {
    parameters.allocate(at::kCPU, at::kDouble);
    parameters.flat().copy_(doubles({parameters.layout.size()}, 5));
  }
  Pass pass() { return {input, parameters, workspace, true, DropoutKey(1, 2, 3)}; }
  Stream in(const Way& way) const { return way.splits ? Stream(sum, x) : Stream(x); }
  // Of what comes out: its sum and what the next block reads.
  double value(const Stream& out) const {
    return (out.is_one() ? out.x_TD * w : out.x_TD * w + out.sum_TD * v).sum().item<double>();
  }

  template <typename Block>
  void run(const Block& block, const Way& way) {
    SCOPED_TRACE(way.name);
    typename Block::Kept kept;
    const auto forward = [&] {
      workspace.reset();
      const Pass p = pass();
      const Stream out = block.take_stream(p);
      kept = block.forward(p, in(way), out);
      return value(out);
    };
    forward();
    Gradients gradients(parameters.layout, parameters.flat());
    const bool one = block.place() == NormPlace::kPost;
    const Stream d_in = block.backward(pass(), gradients, kept, one ? Stream(w.clone()) : Stream(v.clone(), w.clone()));
    const at::Tensor d_x = d_in.x_TD.clone(), d_sum = d_in.sum_TD.clone();
    expect_gradient(forward, x, d_x, "x");
    if (way.splits) expect_gradient(forward, sum, d_sum, "sum");
    expect_gradient(forward, parameters.flat(), gradients.flat(), "parameters");
  }
};

TEST(Differences, OutputBlockLayer) {
  for (const Way& way : kWays) {
    SCOPED_TRACE(way.name);
    Parameters parameters;
    const OutputBlock block = output_of(parameters.layout, way, 6);
    BlockCheck check(parameters);
    const at::Tensor inner = doubles({kTokens, 6}, 7);
    at::Tensor d_inner = at::zeros({kTokens, 6}, at::kDouble);
    OutputBlock::Kept kept;
    const auto forward = [&] {
      check.workspace.reset();
      const Pass pass = check.pass();
      const Stream out = block.take_stream(pass);
      kept = block.keep(pass);
      block.forward(pass, inner, check.in(way), out, kept);
      return check.value(out);
    };
    forward();
    Gradients gradients(parameters.layout, parameters.flat());
    const bool one = way.place == NormPlace::kPost;
    const Stream d_out = one ? Stream(check.w.clone()) : Stream(check.v.clone(), check.w.clone());
    const Pass pass = check.pass();
    const OutputBlock::Back back = block.backward(pass, gradients, kept, d_out, inner);
    linear_backward_input(back.d_y_TD, back.weight, d_inner, false);
    expect_gradient(forward, inner, d_inner, "input of the linear layer");
    expect_gradient(forward, way.splits ? check.sum : check.x, d_out.sum_TD, "residual");
    expect_gradient(forward, parameters.flat(), gradients.flat(), "parameters");
  }
}

TEST(Differences, SelfAttentionLayer) {
  for (const Way& way : kWays) {
    Parameters parameters;
    const Linear qkv(parameters.layout, {{"q", kWidth}, {"k", kWidth}, {"v", kWidth}}, kWidth, way.bias);
    const OutputBlock output = output_of(parameters.layout, way, kWidth);
    BlockCheck check(parameters);
    check.run(SelfAttention(qkv, {}, self_attention_shape(2, kWidth), {}, 0.3, 1, output), way);
    // All columns of a head of 4 are turned, and half of them.
    for (const int64_t rotated : {4, 2}) {
      const Rotary rotary({4, 4, rotated}, RotaryBase{20});
      check.run(SelfAttention(qkv, rotary, self_attention_shape(2, kWidth), {}, 0.3, 1, output), way);
    }
  }
}

TEST(Differences, GatedFeedForwardLayer) {
  for (Activation activation : {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu, Activation::kSilu}) {
    for (const bool activated_first : {false, true}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(activation)) +
                   ", activated first: " + std::to_string(activated_first));
      for (const Way& way : kWays) {
        Parameters parameters;
        const Linear inner(parameters.layout, {{"up", 11}, {"gate", 11}}, kWidth, way.bias);
        const OutputBlock output = output_of(parameters.layout, way, 11);
        BlockCheck(parameters).run(GatedFeedForward(inner, {activation, activated_first}, 0.25, 2, output), way);
      }
    }
  }
}

TEST(Differences, FeedForwardLayer) {
  for (Activation activation : {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu, Activation::kSilu}) {
    SCOPED_TRACE(static_cast<int>(activation));
    for (const Way& way : kWays) {
      Parameters parameters;
      const Linear inner(parameters.layout, "inner.dense", kWidth, 11, way.bias);
      const FeedForward layer(inner, activation, output_of(parameters.layout, way, 11));
      BlockCheck(parameters).run(layer, way);
    }
  }
}

// Of batches whose ids are below 10.
void check_embeddings(bool positions, bool types, bool normed, bool projected, const EmbeddingOptions& options) {
  Parameters parameters;
  Layout& layout = parameters.layout;
  Embeddings::Tables tables{layout.add("word", {10, 6}, Group::kDecay)};
  if (positions) tables.position = layout.add("position", {9, 6}, Group::kDecay);
  if (types) tables.type = layout.add("type", {2, 6}, Group::kDecay);
  std::optional<Norm> norm;
  if (normed) norm = Norm(layout, "norm", 6, {kEpsilon});
  std::optional<Linear> projection;
  if (projected) projection = Linear(layout, "projection", 6, kWidth);
  const Embeddings embeddings(tables, 6, norm, projection, options);
  BlockCheck check(parameters);
  check.batch = batch_of({1, 5, 2}, 10, types ? 2 : 0);
  const Input input(check.batch, at::kCPU);
  const at::Tensor w = doubles({kTokens, projected ? kWidth : 6}, 9);
  const Pass pass{input, parameters, check.workspace, true, DropoutKey(1, 2, 3)};
  Embeddings::Kept kept;
  const auto forward = [&] {
    check.workspace.reset();
    const at::Tensor out = pass.take(w.size(1));
    kept = embeddings.forward(pass, out);
    return (out * w).sum().item<double>();
  };
  forward();
  Gradients gradients(parameters.layout, parameters.flat());
  embeddings.backward(pass, gradients, kept, w.clone());
  const auto row_of = [&](ParamId table) { return gradients[table].select(0, options.padding); };
  if (options.padding >= 0) {
    EXPECT_EQ(row_of(tables.word).abs().sum().item<double>(), 0);
    if (!options.counts_padding) EXPECT_EQ(row_of(tables.position).abs().sum().item<double>(), 0);
    return;  // differences of rows that are not trained are another thing
  }
  expect_gradient(forward, parameters.flat(), gradients.flat(), "parameters");
}

TEST(Differences, Embeddings) {
  const EmbeddingOptions plain{.dropout = 0.2, .site = 1};
  check_embeddings(true, true, true, false, plain);
  check_embeddings(true, false, true, true, plain);
  check_embeddings(false, true, false, false, {.dropout = 0.2, .site = 1, .word_scale = 1.7});
  check_embeddings(false, false, false, true, plain);
  check_embeddings(true, true, true, false, {.padding = 1});
  check_embeddings(true, false, true, false, {.padding = 1, .counts_padding = false});
}

}  // namespace

}  // namespace st::test
