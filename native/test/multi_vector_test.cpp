// Models with a vector for each token: MaxSim and its gradients, modules over tokens, and losses, against references
// and central differences in float64.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <c10/util/Half.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "engine/training_pass.h"
#include "losses/loss.h"
#include "ops/max_sim.h"
#include "ops/product.h"
#include "ops/token_pooling.h"
#include "training.h"

namespace st::test {

namespace {

std::vector<int32_t> offsets_of(const std::vector<int>& lengths) {
  std::vector<int32_t> out = {0};
  for (const int length : lengths) out.push_back(out.back() + length);
  return out;
}

struct Side {
  std::vector<int32_t> offsets;
  at::Tensor x_TD;

  Side(const std::vector<int>& lengths, int64_t width, at::ScalarType type, uint64_t seed)
      : offsets(offsets_of(lengths)), x_TD(random_tensor({offsets.back(), width}, type, seed)) {}
  TokenVectors vectors() const { return {x_TD, offsets}; }
};

const std::vector<MaxSim>& scorings() {
  static const std::vector<MaxSim> all = {{}, {.mean = true}, {.top_k = 1}, {.top_k = 4}, {.top_k = 1000}};
  return all;
}

// Texts of every kind: none, one and many vectors, more than a block.
const std::vector<int> kQueries = {3, 0, 1, 600, 7}, kDocuments = {5, 1, 0, 300, 2, 2, 260, 9};

TEST(MaxSim, EqualsTheReference) {
  for (const auto& [type, width, tolerance] :
       {std::tuple{at::kDouble, int64_t{5}, 1e-12}, {at::kFloat, int64_t{5}, 1e-5}, {at::kFloat, int64_t{128}, 1e-5}}) {
    const Side queries(kQueries, width, type, 1), documents(kDocuments, width, type, 2);
    for (const MaxSim& options : scorings()) {
      const std::string what = std::to_string(width) + " wide, top " + std::to_string(options.top_k);
      const at::Tensor expected = reference::max_sim(queries.vectors(), documents.vectors(), options);
      const at::Tensor found = max_sim(queries.vectors(), documents.vectors(), options);
      const at::Tensor counted = expected > -1e6;
      // Of many products of floats two may be equal but for rounding, where a count ends.
      const double allowed = options.top_k == 4 && type == at::kFloat ? 1e-3 : tolerance;
      expect_close(found.where(counted, expected * 0), expected.where(counted, expected * 0), allowed, what);
      EXPECT_TRUE(at::Tensor((found > -1e6) == counted).all().item<bool>()) << what;
    }
  }
}

TEST(TokenCodes, EveryHalf) {
  std::vector<uint16_t> halves(1 << 16);
  std::iota(halves.begin(), halves.end(), uint16_t{0});
  std::vector<float> found(halves.size());
  decode({.code = TokenCode::kFloat16, .data = halves.data(), .width = 1 << 8}, 0, 1 << 8, found.data());
  for (const uint16_t half : halves) {
    const float expected = c10::detail::fp16_ieee_to_fp32_value(half);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(found[half])) << half;
    } else {
      EXPECT_EQ(found[half], expected) << half;
    }
  }
}

// Widths with and without a rest behind whole bytes and registers.
TEST(MaxSim, CodesAreDecodedBlockByBlock) {
  for (const int64_t width : {5, 64, 131}) {
    const Side queries(kQueries, width, at::kFloat, 1);
    const std::vector<int32_t> offsets = offsets_of(kDocuments);
    const int64_t tokens = offsets.back(), bits = (width + 7) / 8;
    std::vector<uint8_t> bytes(tokens * width * 2);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 167 + i / 251);
    std::vector<float> scales(width), shifts(width);
    for (int64_t d = 0; d < width; ++d)
      scales[d] = 0.01F + 0.001F * static_cast<float>(d), shifts[d] = 0.5F - scales[d];
    std::vector<uint16_t> halves(tokens * width);
    for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>((i * 40503) & 0xBFFF);  // below 2
    for (const TokenCode code : {TokenCode::kFloat16, TokenCode::kInt8, TokenCode::kBits}) {
      const void* data = code == TokenCode::kFloat16 ? static_cast<const void*>(halves.data()) : bytes.data();
      const TokenCodes codes{code, data, width, scales.data(), shifts.data()};
      const at::Tensor numbers_TD = at::empty({tokens, width}, at::kFloat);
      decode(codes, 0, tokens, numbers_TD.data_ptr<float>());
      for (int64_t t : {int64_t{0}, tokens - 1}) {
        for (int64_t d : {int64_t{0}, width - 1}) {
          const auto byte = static_cast<float>(static_cast<int8_t>(bytes[t * width + d]));
          const bool is_one = ((bytes[t * bits + d / 8] ^ 0x80) >> (7 - d % 8) & 1) != 0;
          const float expected = code == TokenCode::kInt8 ? byte * scales[d] + shifts[d]
                                 : code == TokenCode::kBits
                                     ? (is_one ? 1.0F : -1.0F)
                                     : static_cast<float>(c10::Half(halves[t * width + d], c10::Half::from_bits()));
          EXPECT_NEAR(numbers_TD[t][d].item<float>(), expected, 1e-6) << width << " " << t << " " << d;
        }
      }
      for (const MaxSim& options : scorings()) {
        const at::Tensor expected = max_sim(queries.vectors(), {numbers_TD, offsets}, options);
        EXPECT_TRUE(same_bits(max_sim(queries.vectors(), codes, offsets, options), expected)) << width;
      }
    }
  }
}

TEST(MaxSim, RowsAreTheDiagonal) {
  const Side queries({3, 2, 4}, 6, at::kDouble, 1), documents({5, 0, 2}, 6, at::kDouble, 2);
  for (const MaxSim& options : scorings()) {
    const at::Tensor all = max_sim(queries.vectors(), documents.vectors(), options);
    expect_close(max_sim_rows(queries.vectors(), documents.vectors(), options), all.diagonal(), 1e-14, "rows");
  }
}

TEST(MaxSim, ThreadsChangeNoBit) {
  const Side queries(kQueries, 64, at::kFloat, 1), documents(kDocuments, 64, at::kFloat, 2);
  const auto run = [&](int count) {
    const Threads threads(count);
    return max_sim(queries.vectors(), documents.vectors(), {});
  };
  if (!product::available(queries.x_TD))
    GTEST_SKIP() << "ATen multiplies here, whose sums depend on the number of rows";
  EXPECT_TRUE(same_bits(run(1), run(3)));
}

TEST(MaxSim, WhatIsNotFiniteComesOut) {
  Side queries({3, 2}, 8, at::kFloat, 1), documents({4, 5}, 8, at::kFloat, 2);
  documents.x_TD[6][3] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor scores = max_sim(queries.vectors(), documents.vectors(), {});
  EXPECT_TRUE(std::isfinite(scores[0][0].item<double>()));
  EXPECT_FALSE(std::isfinite(scores[0][1].item<double>()));
  EXPECT_FALSE(std::isfinite(scores[1][1].item<double>()));
}

TEST(Differences, MaxSim) {
  const std::vector<int32_t> queries = offsets_of({3, 0, 1, 5}), documents = offsets_of({4, 0, 1, 7});
  for (const MaxSim& options : scorings()) {
    expect_autograd(
        [&](const std::vector<at::Tensor>& in) { return max_sim({in[0], queries}, {in[1], documents}, options); },
        {random_tensor({queries.back(), 6}, at::kDouble, 1), random_tensor({documents.back(), 6}, at::kDouble, 2)},
        "MaxSim, top " + std::to_string(options.top_k));
  }
}

TEST(Differences, TokenPooling) {
  const std::vector<int32_t> offsets = offsets_of({9, 1, 0, 6});
  for (const bool normalize : {false, true}) {
    const TokenPooling options{.factor = 2, .kept = 1, .normalize = normalize};
    expect_autograd(
        [&](const std::vector<at::Tensor>& in) {
          return pool_tokens(in[0], offsets, options, {true, true, true, false}).x_TD;
        },
        {random_tensor({offsets.back(), 4}, at::kDouble, 3)}, "token pooling");
  }
}

TEST(TokenPooling, RefusesWhatIsNotFinite) {
  const std::vector<int32_t> offsets = offsets_of({6});
  const at::Tensor x_TD = random_tensor({6, 4}, at::kFloat, 3);
  x_TD.fill_(std::numeric_limits<float>::quiet_NaN());
  expect_error("ERR_INVALID_DATA", "finite token embeddings",
               [&] { pool_tokens(x_TD, offsets, {.factor = 2}, {true}); });
}

// ------------------------------------------------------------------------------------------------- modules and losses

Config token_pooling() {
  return Config::Object{{"type", text("HierarchicalTokenPooling")}, {"poolFactor", 1.5}};
}

// Two queries, of which one has tokens that nobody attends to, and two documents.
PackedBatch vector_batch() {
  PackedBatch batch = batch_of({5, 3, 7, 4}, 11, 0, 2);
  batch.attended = {2, 3, 7, 4};
  batch.queries = {1, 1, 0, 0};
  return batch;
}

void check_network(const EncoderSpec& spec, const std::string& what) {
  SCOPED_TRACE(what);
  Network network(spec);
  network.prepare();
  Parameters& parameters = network.parameters();
  parameters.flat().copy_(random_tensor({parameters.layout.size()}, at::kDouble, 1, 0.7));
  const PackedBatch batch = vector_batch();
  const Input input(batch, at::kCPU);
  const DropoutKey key(1, 2, 3);
  TrainingPass pass(network);
  const at::Tensor first_TD = pass.forward(input, key, {}).embeddings_RD.clone();
  const at::Tensor w = random_tensor(first_TD.sizes(), at::kDouble, 2);
  const auto value = [&] { return (pass.forward(input, key, {}).embeddings_RD * w).sum().item<double>(); };
  value();
  Gradients gradients(parameters.layout, parameters.flat());
  Network::Output weights;
  weights.embeddings_RD = w;
  pass.backward(input, key, weights, gradients);
  expect_gradient(value, parameters.flat().narrow(0, 0, gradients.flat().numel()), gradients.flat(), what, 3);
}

TEST(Differences, NetworkWithAVectorForEachToken) {
  check_network(tiny_bert({token_dense(12, 5, true), token_mask({3}), token_normalize()}, "float64"), "Dense, mask");
  check_network(tiny_bert({token_dense(12, 12, true), token_normalize()}, "float64"), "no mask");
  check_network(tiny_bert({token_dense(12, 4, false), token_mask({}), token_normalize(), token_pooling()}, "float64"),
                "pooled");
}

TEST(MultiVector, HiddenTokensSeeTheOthersAndChangeNothingForThem) {
  const EncoderSpec spec = tiny_bert({token_dense(12, 5, true), token_mask({}), token_normalize()});
  const auto encoder = std::make_shared<Encoder>(spec);
  load_weights(*encoder, random_weights(*encoder, 1));
  const auto vectors = [&](const PackedBatch& batch) {
    std::vector<float> out(static_cast<size_t>(batch.tokens() * 5));
    std::vector<int32_t> counts(static_cast<size_t>(batch.rows()));
    encoder->encode_vectors(batch, out.data(), batch.tokens() * 5, counts.data(), batch.rows());
    EXPECT_EQ(counts, (std::vector<int32_t>{static_cast<int32_t>(batch.tokens())}));
    return out;
  };
  PackedBatch whole = batch_of({6}, 11), part = batch_of({4}, 11);
  std::copy_n(whole.ids.begin(), 4, part.ids.begin());
  whole.queries = part.queries = {1};
  const std::vector<float> attended = vectors(whole);
  whole.attended = {4};
  const std::vector<float> hidden = vectors(whole), alone = vectors(part);
  double changed = 0;
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_NEAR(hidden[i], alone[i], 1e-6);
    changed = std::max(changed, std::abs(static_cast<double>(attended[i] - alone[i])));
  }
  EXPECT_GT(changed, 1e-3);  // those that are attended to count
}

TEST(MultiVector, WhatDoesNotFitIsRefused) {
  expect_error("ERR_NOT_IMPLEMENTED", "not built in this place",
               [] { Network network(tiny_bert({pooling({"mean"}), token_mask({})})); });
  expect_error("ERR_NOT_IMPLEMENTED", "not built in this place",
               [] { Network network(tiny_bert({token_mask({}), pooling({"mean"})})); });
  expect_error("ERR_INVALID_MODEL", "at least 1 for the poolFactor", [] {
    Network network(tiny_bert({Config::Object{{"type", text("HierarchicalTokenPooling")}, {"poolFactor", 0.5}}}));
  });
  PackedBatch batch = vector_batch();
  batch.attended = {9, 3, 7, 4};
  expect_error("ERR_INVALID_ARGUMENT", "1 to 5 attended tokens but found 9 at row 0",
               [&] { batch.validate(11, 2, 40); });
  const auto encoder = std::make_shared<Encoder>(tiny_bert({token_dense(12, 5, true), token_mask({})}));
  expect_error("ERR_INVALID_ARGUMENT", "CoSENTLoss compares one embedding",
               [&] { Trainer trainer(encoder, spec_of(loss_of("CoSENTLoss"))); });
  expect_error("ERR_INVALID_ARGUMENT", "compares the vectors of all tokens",
               [&] { Trainer trainer(encoder_of(), spec_of(loss_of("MultiVector.MultiVectorMarginMSELoss"))); });
}

// A loss over given vectors.
at::Tensor loss_value(const Config& spec, const at::Tensor& vectors_TD, const std::vector<int32_t>& offsets,
                      int64_t columns, const at::Tensor& labels) {
  Parameters parameters;
  const std::unique_ptr<Loss> loss = make_loss(spec, vectors_TD.size(1), LossLayout{parameters.layout});
  const std::vector<at::Tensor> none;
  const int64_t rows = (static_cast<int64_t>(offsets.size()) - 1) / columns;
  LossInput input{.embeddings_CBD = at::empty({1}, at::kDouble).expand({columns, rows, vectors_TD.size(1)}),
                  .labels = labels,
                  .parameters = none};
  input.vectors_TD = vectors_TD;
  input.vector_offsets = offsets;
  loss->check_batch(input);
  return loss->forward(input).total;
}

TEST(Differences, MultiVectorLosses) {
  const std::vector<int32_t> offsets = offsets_of({2, 3, 4, 1, 5, 2, 3, 3, 2});
  const at::Tensor x = random_tensor({offsets.back(), 4}, at::kDouble, 4);
  for (const char* scores : {"maxsim", "meanmaxsim", "xtr"}) {
    const auto options = [&](const std::string& type) {
      Config::Object out{{"scores", text(scores)}};
      if (std::string(scores) == "xtr") out["topK"] = 3.0;
      return loss_of("MultiVector." + type, out);
    };
    const at::Tensor labels = random_tensor({3, 2}, at::kDouble, 5);
    for (const auto& [type, given] : {std::pair<const char*, at::Tensor>{"MultiVectorMultipleNegativesRankingLoss", {}},
                                      {"MultiVectorDistillKLDivLoss", labels},
                                      {"MultiVectorMarginMSELoss", labels}}) {
      expect_autograd(
          [&, type = type, given = given](const std::vector<at::Tensor>& in) {
            return loss_value(options(type), in[0], offsets, 3, given);
          },
          {x}, std::string(type) + ", " + scores);
    }
  }
  expect_error("ERR_UNKNOWN_OPTION", "no option margin", [&] {
    loss_value(loss_of("MultiVector.MultiVectorMarginMSELoss", {{"margin", 1.0}}), x, offsets, 3, {});
  });
  expect_error("ERR_INVALID_DATA", "needs a label",
               [&] { loss_value(loss_of("MultiVector.MultiVectorMarginMSELoss"), x, offsets, 3, {}); });
}

}  // namespace

}  // namespace st::test
