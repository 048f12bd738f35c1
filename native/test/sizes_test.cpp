// Sizes from outside: products that overflow, configs that ask for more than there is.
#include "core/sizes.h"

#include <limits>

#include "core/layout.h"
#include "core/memory.h"
#include "core/workspace.h"
#include "engine/network.h"
#include "engine/search.h"
#include "loss_cases.h"
#include "support.h"

namespace st::test {

namespace {

constexpr int64_t kHuge = int64_t{1} << 53;

TEST(CheckedProduct, IsTheProductOrAnError) {
  EXPECT_EQ(checked_product("x", {}), 1);
  EXPECT_EQ(checked_product("x", {3, 4, 5}), 60);
  EXPECT_EQ(checked_product("x", {int64_t{1} << 28, int64_t{1} << 28}), kMostElements);
  EXPECT_EQ(checked_product("x", {kHuge, kHuge, 0}), 0);
  EXPECT_EQ(checked_product("x", {0, kHuge, kHuge}), 0);
  const auto refused = [](std::initializer_list<int64_t> sizes, const std::string& message) {
    expect_error("ERR_INVALID_ARGUMENT", message, [&] { checked_product("the rows", sizes); });
  };
  refused({kHuge, 16}, "elements for the rows but found 9007199254740992 x 16");
  // 2^106, and one that comes out as 0 in 64 bits.
  refused({kHuge, kHuge}, "for the rows");
  refused({int64_t{1} << 32, int64_t{1} << 32}, "for the rows");
  refused({3, -1}, "Expected no negative size for the rows but found 3 x -1");
  refused({0, -1}, "Expected no negative size");
  refused({std::numeric_limits<int64_t>::max()}, "for the rows");
}

TEST(CheckedProduct, GuardsMemory) {
  Workspace workspace(at::kCPU);
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{int64_t{1} << 32, int64_t{1} << 32}, {kHuge, 16}}) {
    expect_error("ERR_INVALID_ARGUMENT", "a tensor", [&] { workspace.take(shape, at::kFloat); });
    expect_error("ERR_INVALID_ARGUMENT", "a tensor", [&] { empty_in_huge_pages(shape, at::kFloat, at::kCPU); });
    Layout layout;
    expect_error("ERR_INVALID_ARGUMENT", "elements for w", [&] { layout.add("w", shape, Group::kDecay); });
  }
  EXPECT_EQ(workspace.take({0, kHuge}, at::kFloat).numel(), 0);
}

TEST(Layout, HasABudgetOfParameters) {
  Layout layout;
  layout.add("a", {int64_t{1} << 35}, Group::kDecay);
  layout.add("b", {(int64_t{1} << 35) - 1}, Group::kDecay);
  expect_error("ERR_INVALID_ARGUMENT", "at most 68719476736 parameters, but with c there are 68719476737",
               [&] { layout.add("c", {2}, Group::kDecay); });
}

TEST(WholeNumbers, AreCheckedBeforeTheyAreCast) {
  const auto of = [](const std::vector<double>& values) {
    return whole_numbers(Config::Object{{"dims", Config::Array(values.begin(), values.end())}}, "dims", 1);
  };
  EXPECT_EQ(of({1, 7}), (std::vector<int64_t>{1, 7}));
  EXPECT_TRUE(whole_numbers(Config::Object{}, "dims", 1).empty());
  for (double wrong : {0.0, -1.0, 1.5, 1e30, std::nan(""), std::numeric_limits<double>::infinity()}) {
    expect_error("ERR_INVALID_ARGUMENT", "Expected whole numbers of at least 1 for dims", [&] { of({1, wrong}); });
  }
}

// Each of these once ran for hours, or until the memory was full.
TEST(Network, SizesThatNoModelHasAreRefusedAtOnce) {
  const auto refused = [](const Config::Object& changes, const std::string& message) {
    expect_error("ERR_INVALID_MODEL", message, [&] { Network(tiny_bert({pooling({"mean"})}, "float32", changes)); });
  };
  refused({{"num_hidden_layers", 1e9}},
          "Expected an integer from 1 to 4096 as num_hidden_layers in config.json, found 1000000000");
  refused({{"num_hidden_layers", 0.0}}, "from 1 to 4096 as num_hidden_layers in config.json, found 0");
  refused({{"num_attention_heads", 65536.0}, {"hidden_size", 65536.0}}, "from 1 to 65535 as num_attention_heads");
  refused({{"num_attention_heads", 5.0}},
          "Expected a divisor of hidden_size 12 as num_attention_heads in config.json, found 5");
  refused({{"hidden_size", 6e6}}, "Expected sizes of at most 68719476736 parameters in config.json, found ");
  for (const char* key :
       {"hidden_size", "vocab_size", "intermediate_size", "max_position_embeddings", "type_vocab_size"}) {
    const std::string message = "Expected an integer from 1 to 10000000 as " + std::string(key) + " in config.json";
    for (double size : {6e12, 9e15 - 9e15 / 6, 0.0, -12.0, 1e30, 12.5}) refused({{key, size}}, message);
    refused({{key, text("12")}}, message + ", found \"12\"");
    refused({{key, Config()}}, message + ", found null");
  }
  for (double epsilon : {0.0, -1.0, 1e300}) {
    refused({{"layer_norm_eps", epsilon}}, "Expected a number of at most 1 and above 0 as layer_norm_eps");
  }
  refused({{"hidden_dropout_prob", 1.0}},
          "Expected a number of at least 0 and at most 0.9999 as hidden_dropout_prob in config.json, found 1");
  expect_error("ERR_INVALID_ARGUMENT", "parameters, but with 2.linear.weight",
               [] { Network(tiny_bert({pooling({"mean"}), dense(12, 1e15, "tanh")})); });
  expect_error("ERR_INVALID_MODEL", "at least 1 for the outFeatures",
               [] { Network(tiny_bert({pooling({"mean"}), dense(12, 0, "tanh")})); });
  expect_error("ERR_INVALID_MODEL", "at most 64 pooling modes but found 100000",
               [] { Network(tiny_bert({pooling(std::vector<std::string>(100000, "mean"))})); });
}

TEST(TransformerSizes, AnArchitectureHasKeysAndDefaultsOfItsOwn) {
  SizeKeys keys;
  keys.width = {"dim", 24};
  keys.heads = {"n_heads", 2};
  keys.inner = {"hidden_dim", 48};
  keys.layers = {"n_layers", 3};
  keys.token_types = {"", 1};
  keys.epsilon = {"", 1e-5};
  keys.dropout = {"dropout", 0.2};
  const TransformerSizes sizes(Config::Object{{"dim", 12.0}, {"hidden_size", 7.0}, {"type_vocab_size", 5.0}}, keys);
  EXPECT_EQ(sizes.width, 12);
  EXPECT_EQ(sizes.heads, 2);
  EXPECT_EQ(sizes.inner, 48);
  EXPECT_EQ(sizes.layers, 3);
  EXPECT_EQ(sizes.vocabulary, 30522);
  EXPECT_EQ(sizes.token_types, 1);
  EXPECT_EQ(sizes.epsilon, 1e-5);
  EXPECT_EQ(sizes.dropout, 0.2);
  EXPECT_EQ(sizes.attention_dropout, 0.1);
  expect_error("ERR_INVALID_MODEL", "Expected a divisor of dim 12 as n_heads in config.json, found 5",
               [&] { TransformerSizes(Config::Object{{"dim", 12.0}, {"n_heads", 5.0}}, keys); });
}

TEST(Losses, SizesThatNoLossHasAreRefused) {
  expect_error("ERR_INVALID_ARGUMENT", "parameters", [] { LossFixture("SoftmaxLoss", {{"numLabels", 1e15}}); });
  expect_error("ERR_INVALID_ARGUMENT", "parameters", [] { LossFixture("MSELoss", {{"projectionDim", 9e14}}); });
  const auto custom = [](const std::vector<double>& shape) {
    return Config::Object{
        {"parameters", Config::Object{{"w", Config::Object{{"shape", Config::Array(shape.begin(), shape.end())}}}}}};
  };
  for (const std::vector<double>& shape : {std::vector<double>{1e15, 1e15}, {4294967296.0, 4294967296.0}}) {
    expect_error("ERR_INVALID_ARGUMENT", "elements for loss.w", [&] { LossFixture("Custom", custom(shape)); });
  }
  for (const std::vector<double>& shape : {std::vector<double>{1e30}, {2, 0}, {-1}, {0.5}}) {
    expect_error("ERR_INVALID_ARGUMENT", "whole numbers of at least 1 for shape",
                 [&] { LossFixture("Custom", custom(shape)); });
  }
}

TEST(PackedBatch, ProductsOfItsSizesDoNotOverflow) {
  PackedBatch batch = batch_of({2, 3});
  batch.guide_width = int64_t{1} << 53;
  expect_error("ERR_INVALID_ARGUMENT", "Expected 18014398509481984 values of guide embeddings but found 0",
               [&] { batch.validate(11, 2, 8); });
  batch.guide_width = kMostElements;
  expect_error("ERR_INVALID_ARGUMENT", "the guide embeddings", [&] { batch.validate(11, 2, 8); });
  batch.guide_width = -1;
  expect_error("ERR_INVALID_ARGUMENT", "no negative size for the guide embeddings", [&] { batch.validate(11, 2, 8); });
  // Targets without offsets were once not looked at.
  batch = batch_of({2, 3});
  batch.target_ids = {1, 99, 1, 1, 1};
  expect_error("ERR_INVALID_ARGUMENT", "target offsets", [&] { batch.validate(11, 2, 8); });
}

TEST(Search, NumbersOfRowsFitTheirType) {
  const float value = 0;
  float score = 0;
  int32_t index = 0;
  expect_error("ERR_INVALID_ARGUMENT", "at most 2147483647 rows in the corpus",
               [&] { top_k(&value, 1, &value, int64_t{1} << 31, 1, 1, "dot", &score, &index); });
}

}  // namespace

}  // namespace st::test
