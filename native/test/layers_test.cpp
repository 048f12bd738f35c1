// Every layer against central differences in float64, with dropout replayed from its key.
#include <ATen/ops/zeros.h>

#include "layers/decoder_layer.h"
#include "layers/disentangled_attention.h"
#include "layers/embeddings.h"
#include "layers/feed_forward.h"
#include "layers/gated_feed_forward.h"
#include "layers/output_block.h"
#include "layers/self_attention.h"
#include "layers/stack.h"
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

OutputBlock output_of(Layout& layout, const Way& way, int64_t in, bool branch_norm = false) {
  const Linear linear(layout, "output.dense", in, kWidth, way.bias);
  std::optional<Norm> branch;
  if (branch_norm) branch = Norm(layout, "branch_norm", kWidth, way.norm);
  return {linear, Norm(layout, "norm", kWidth, way.norm), way.place, 0.2, 3, branch};
}

// Runs forward and backward of a block whose parameters are in `parameters` (laid out, not allocated).
struct BlockCheck {
  PackedBatch batch = batch_of({1, 5, 2});
  Input input{batch, at::kCPU};
  Parameters& parameters;
  Workspace workspace{at::kCPU};
  at::Tensor x = doubles({kTokens, kWidth}, 1), w = doubles({kTokens, kWidth}, 2);
  at::Tensor sum = doubles({kTokens, kWidth}, 3), v = doubles({kTokens, kWidth}, 4);
  const Memory* memory = nullptr;

  explicit BlockCheck(Parameters& given) : parameters(given) {
    parameters.allocate(at::kCPU, at::kDouble);
    parameters.flat().copy_(doubles({parameters.layout.size()}, 5));
  }
  Pass pass() {
    Pass out{input, parameters, workspace, true, DropoutKey(1, 2, 3)};
    out.memory = memory;
    return out;
  }
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
    if (memory != nullptr) at::Tensor(memory->d_x_SD).zero_();
    const Stream d_in = block.backward(pass(), gradients, kept, one ? Stream(w.clone()) : Stream(v.clone(), w.clone()));
    const at::Tensor d_x = d_in.x_TD.clone(), d_sum = d_in.sum_TD.clone();
    expect_gradient(forward, x, d_x, "x");
    if (way.splits) expect_gradient(forward, sum, d_sum, "sum");
    if (memory != nullptr) expect_gradient(forward, memory->x_SD, memory->d_x_SD, "memory");
    expect_gradient(forward, parameters.flat(), gradients.flat(), "parameters");
  }
};

void check_output_block(const Way& way, bool branch_norm) {
  SCOPED_TRACE(way.name);
  Parameters parameters;
  const OutputBlock block = output_of(parameters.layout, way, 6, branch_norm);
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

TEST(Differences, OutputBlockLayer) {
  for (const Way& way : kWays) {
    for (const bool branch_norm : {false, true}) check_output_block(way, branch_norm);
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

// Three heads of queries to one of keys and values, wider together than the model.
TEST(Differences, SelfAttentionWithHeadNorms) {
  for (const Way& way : kWays) {
    for (const bool one_plus : {false, true}) {
      Parameters parameters;
      Layout& layout = parameters.layout;
      const NormOptions options{kEpsilon, NormKind::kRms, false, one_plus};
      const Linear qkv(layout, {{"q", 12}, {"k", 4}, {"v", 4}}, kWidth, way.bias);
      const QueryKeyNorms norms{Norm(layout, "q_norm", 4, options), Norm(layout, "k_norm", 4, options)};
      const OutputBlock output = output_of(layout, way, 12);
      BlockCheck check(parameters);
      const AttentionShape shape{.heads = 3, .kv_heads = 1, .head_dim = 4, .scale = 0.4, .causal = true, .window = 2};
      check.run(SelfAttention(qkv, Rotary({4, 4, 4}, RotaryBase{20}), shape, {}, 0.3, 1, output, norms), way);
    }
  }
}

TEST(Differences, DisentangledAttentionLayer) {
  for (const Way& way : kWays) {
    for (const int64_t buckets : {0, 4}) {
      Parameters parameters;
      Layout& layout = parameters.layout;
      const RelativePositions positions{.table = layout.add("rel", {8, kWidth}, Group::kDecay),
                                        .norm = Norm(layout, "rel_norm", kWidth, way.norm),
                                        .span = 4,
                                        .buckets = buckets,
                                        .max_distance = 8,
                                        .dropout = 0.3};
      const OutputBlock output = output_of(layout, way, kWidth);
      const DisentangledAttention attention(layout, "self.", {2, kWidth}, positions, 0.3, 1, output);
      BlockCheck(parameters).run(attention, way);
    }
  }
}

// Dropout of positions, too, whose range of the table is that of the longest row.
TEST(DisentangledAttention, APartOfABatchHasTheMasksOfTheWhole) {
  Parameters parameters;
  Layout& layout = parameters.layout;
  const RelativePositions positions{.table = layout.add("rel", {8, kWidth}, Group::kDecay),
                                    .norm = {},
                                    .span = 4,
                                    .buckets = 0,
                                    .max_distance = 8,
                                    .dropout = 0.3};
  const OutputBlock output = output_of(layout, kWays[0], kWidth);
  const DisentangledAttention attention(layout, "self.", {2, kWidth}, positions, 0.3, 1, output);
  BlockCheck check(parameters);
  const auto forward = [&](const Pass& pass, const at::Tensor& x_TD) {
    const Stream out = attention.take_stream(pass);
    attention.forward(pass, Stream(x_TD), out);
    return out.x_TD.clone();
  };
  const at::Tensor whole = forward(check.pass(), check.x);
  const PackedBatch last = batch_of({2});
  const Input input(last, at::kCPU);
  Pass part{input, parameters, check.workspace, true, DropoutKey(1, 2, 3)};
  part.dropout.rows.before = 2;
  expect_close(forward(part, check.x.narrow(0, 6, 2)), whole.narrow(0, 6, 2), 1e-14, "the last row");
}

TEST(DisentangledAttention, BucketsAreThoseOfTransformers) {
  const std::vector<std::pair<int64_t, int64_t>> expected = {{-511, -255}, {-200, -169}, {-128, -128}, {-5, -5},
                                                             {0, 0},       {128, 128},   {129, 129},   {130, 130},
                                                             {150, 143},   {255, 192},   {400, 233},   {511, 255}};
  for (const auto& [distance, bucket] : expected) EXPECT_EQ(log_bucket(distance, 256, 512), bucket) << distance;
  EXPECT_EQ(log_bucket(300, 0, 512), 300);
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
      const OutputBlock output = output_of(parameters.layout, way, 11);
      BlockCheck check(parameters);
      check.run(FeedForward(inner, activation, output), way);
      check.run(FeedForward(inner, activation, output, 0.25, 2), way);
    }
  }
}

// The rows of an encoder: longer than those of the decoder, and shorter.
struct Encoded {
  PackedBatch batch = batch_of({4, 1, 3});
  Input input{batch, at::kCPU};
  Memory memory{input, doubles({8, kWidth}, 11), at::zeros({8, kWidth}, at::kDouble)};
};

// Two heads of 3 for a width of 8.
CrossAttention cross_attention_of(Layout& layout, const Way& way, const std::string& name) {
  constexpr int64_t kHeads = 2, kHead = 3, kOfHeads = kHeads * kHead;
  const Linear query(layout, name + "q", kWidth, kOfHeads, way.bias);
  const Linear keys_values(layout, {{name + "k", kOfHeads}, {name + "v", kOfHeads}}, kWidth, way.bias);
  const Linear mix(layout, name + "o", kOfHeads, kWidth, way.bias);
  const OutputBlock output(mix, Norm(layout, name + "norm", kWidth, way.norm), way.place, 0.2, 3);
  const AttentionShape shape{.heads = kHeads, .kv_heads = kHeads, .head_dim = kHead, .scale = 1};
  return {query, keys_values, shape, 0.3, 1, output};
}

TEST(Differences, CrossAttentionLayer) {
  for (const Way& way : kWays) {
    Parameters parameters;
    const CrossAttention block = cross_attention_of(parameters.layout, way, "");
    BlockCheck check(parameters);
    const Encoded encoded;
    check.memory = &encoded.memory;
    check.run(block, way);
  }
}

// With a table of relative positions in one direction.
TEST(Differences, LayerOfADecoder) {
  for (const Way& way : kWays) {
    Parameters parameters;
    Layout& layout = parameters.layout;
    const BiasTable bias{layout.add("bias", {4, 2}, Group::kNoDecay), 4, 5, false};
    const Linear qkv(layout, {{"q", kWidth}, {"k", kWidth}, {"v", kWidth}}, kWidth, way.bias);
    AttentionShape shape = self_attention_shape(2, kWidth);
    shape.causal = true;
    const Linear mix(layout, "mix", kWidth, kWidth, way.bias), inner(layout, "inner", kWidth, 11, way.bias);
    const OutputBlock mixed(mix, Norm(layout, "mixed", kWidth, way.norm), way.place, 0.2, 6);
    const SelfAttention attention(qkv, {}, shape, bias, 0.3, 5, mixed);
    const CrossAttention cross = cross_attention_of(layout, way, "cross.");
    const FeedForward feed_forward(inner, Activation::kRelu, output_of(layout, way, 11), 0.25, 7);
    BlockCheck check(parameters);
    const Encoded encoded;
    check.memory = &encoded.memory;
    check.run(DecoderLayer<FeedForward>{attention, cross, feed_forward}, way);
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

// A stack of pre-norm layers with a norm in front of the first, through all its parameters.
TEST(Differences, StackWithFirstNorm) {
  for (const NormOptions& norm : {NormOptions{kEpsilon}, NormOptions{kEpsilon, NormKind::kRms, false, true}}) {
    for (const bool recompute : {false, true}) {
      Parameters parameters;
      Layout& layout = parameters.layout;
      const ParamId word = layout.add("word", {10, kWidth}, Group::kDecay);
      Stack<Layer<FeedForward>> stack{.embeddings = Embeddings({word}, kWidth, {}, {}, {.dropout = 0.2, .site = 1}),
                                      .layers = {},
                                      .width = kWidth,
                                      .first_norm = FirstNorm(Norm(layout, "first", kWidth, norm), kWidth),
                                      .last_dropout = {0.3, 20}};
      for (uint32_t i = 0; i < 2; ++i) {
        const std::string name = std::to_string(i);
        const Linear qkv(layout, name + ".qkv", kWidth, 3 * kWidth), mix(layout, name + ".mix", kWidth, kWidth);
        const Linear inner(layout, name + ".inner", kWidth, 11), outer(layout, name + ".outer", 11, kWidth);
        const OutputBlock mixed(mix, Norm(layout, name + ".a", kWidth, norm), NormPlace::kPre, 0.2, 4 * i + 3);
        const OutputBlock output(outer, Norm(layout, name + ".b", kWidth, norm), NormPlace::kPre, 0.2, 4 * i + 4);
        stack.layers.push_back({SelfAttention(qkv, {}, self_attention_shape(2, kWidth), {}, 0.3, 4 * i + 2, mixed),
                                FeedForward(inner, Activation::kGelu, output)});
      }
      BlockCheck check(parameters);
      check.batch = batch_of({1, 5, 2}, 10);
      const Input input(check.batch, at::kCPU);
      const Pass pass{.input = input,
                      .parameters = parameters,
                      .workspace = check.workspace,
                      .training = true,
                      .dropout = DropoutKey(1, 2, 3),
                      .recompute = recompute};
      Stack<Layer<FeedForward>>::Kept kept;
      // The outputs of all layers are read, too.
      const auto forward = [&] {
        check.workspace.reset();
        const at::Tensor x = stack.forward(pass, kept);
        double value = (x * check.w).sum().item<double>();
        const std::vector<at::Tensor> outputs = stack.outputs_TD(kept);
        for (size_t i = 0; i + 1 < outputs.size(); ++i) value += (outputs[i] * check.v).sum().item<double>();
        return value;
      };
      forward();
      Gradients gradients(layout, parameters.flat());
      stack.backward(pass, gradients, kept, check.w.clone(), {check.v, check.v, {}});
      expect_gradient(forward, parameters.flat(), gradients.flat(), "parameters");
    }
  }
}

}  // namespace

}  // namespace st::test
