#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

#include "core/device.h"
#include "core/layout.h"
#include "core/parameters.h"
#include "core/philox.h"
#include "core/workspace.h"
#include "support.h"

namespace st::test {

namespace {

constexpr const char* kInvalid = "ERR_INVALID_ARGUMENT";
constexpr const char* kTensors = "ERR_INVALID_TENSORS";

// ---------------------------------------------------------------------------------------------------------- Config

Config sample() {
  return Config::Object{{"count", 12.0},
                        {"ratio", 0.25},
                        {"flag", true},
                        {"name", text("gelu")},
                        {"modes", texts({"mean", "max"})},
                        {"mixed", Config::Array{text("mean"), 1.0}},
                        {"nothing", Config()},
                        {"inner", Config::Object{}}};
}

TEST(Config, GettersReturnMembers) {
  const Config config = sample();
  EXPECT_EQ(config.integer("count"), 12);
  EXPECT_EQ(config.number("ratio"), 0.25);
  EXPECT_TRUE(config.boolean("flag"));
  EXPECT_EQ(config.string("name"), "gelu");
  EXPECT_EQ(config.strings("modes"), (std::vector<std::string>{"mean", "max"}));
  EXPECT_TRUE(config.has("count"));
  EXPECT_FALSE(config.has("nothing"));
  EXPECT_FALSE(config.has("absent"));
  EXPECT_EQ(config.object().size(), 8U);
}

TEST(Config, DefaultsStandForMissingAndNullMembers) {
  const Config config = sample();
  for (const char* key : {"nothing", "absent"}) {
    EXPECT_EQ(config.integer(key, 7), 7);
    EXPECT_EQ(config.number(key, 0.5), 0.5);
    EXPECT_TRUE(config.boolean(key, true));
    EXPECT_EQ(config.string(key, "relu"), "relu");
  }
  EXPECT_EQ(config.integer("count", 7), 12);
  EXPECT_EQ(config.string("name", "relu"), "gelu");
}

TEST(Config, ErrorsNameTheMemberAndWhatWasFound) {
  const Config config = sample();
  expect_error(kInvalid, "Expected a value for absent but found none", [&] { config.number("absent"); });
  expect_error(kInvalid, "Expected a number for name but found a string", [&] { config.number("name"); });
  expect_error(kInvalid, "Expected a number for nothing but found null", [&] { config.integer("nothing"); });
  expect_error(kInvalid, "Expected an integer for ratio but found a fraction", [&] { config.integer("ratio"); });
  expect_error(kInvalid, "Expected true or false for count but found a number", [&] { config.boolean("count"); });
  expect_error(kInvalid, "Expected a string for flag but found a boolean", [&] { config.string("flag"); });
  expect_error(kInvalid, "Expected an array of strings for inner but found an object",
               [&] { config.strings("inner"); });
  expect_error(kInvalid, "Expected an array of strings for mixed but found a number", [&] { config.strings("mixed"); });
  expect_error(kInvalid, "Expected a number for name", [&] { config.number("name", 1); });
  expect_error(kInvalid, "Expected an object of options but found an array", [] { Config(Config::Array{}).has("x"); });
}

TEST(Config, IntegersMustBeFiniteAndExact) {
  for (double value : {0.5, 1e16, std::numeric_limits<double>::infinity(), std::nan("")}) {
    const Config config = Config::Object{{"n", value}};
    expect_error(kInvalid, "Expected an integer for n", [&] { config.integer("n"); });
  }
  EXPECT_EQ(Config(Config::Object{{"n", -4e9}}).integer("n"), -4'000'000'000);
}

// ------------------------------------------------------------------------------------------------- devices, dtypes

TEST(Device, Names) {
  EXPECT_TRUE(parse_device("cpu").is_cpu());
  expect_error("ERR_UNSUPPORTED", "cuda:1", [] { parse_device("cuda:1"); });
  expect_error(kInvalid, "received cudax", [] { parse_device("cudax"); });
  EXPECT_EQ(parse_dtype("bfloat16"), at::kBFloat16);
  EXPECT_EQ(master_dtype(at::kBFloat16), at::kFloat);
  EXPECT_EQ(master_dtype(at::kDouble), at::kDouble);
  expect_error(kInvalid, "received float16", [] { parse_dtype("float16"); });
}

// ----------------------------------------------------------------------------------------------------- PackedBatch

TEST(PackedBatch, SizesAndLengths) {
  const PackedBatch batch = batch_of({3, 1, 5, 2}, 11, 2, 2);
  EXPECT_EQ(batch.tokens(), 11);
  EXPECT_EQ(batch.rows(), 4);
  EXPECT_EQ(batch.length(2), 5);
  EXPECT_EQ(batch.max_length(), 5);
  EXPECT_NO_THROW(batch.validate(11, 2, 5));
}

TEST(PackedBatch, EveryDefectIsRefused) {
  const auto refused = [](const std::string& message, const std::function<void(PackedBatch&)>& spoil) {
    PackedBatch batch = batch_of({3, 1, 5, 2}, 11, 2, 2);
    batch.prompt_lengths = {0, 1, 2, 9};
    EXPECT_NO_THROW(batch.validate(11, 2, 5));
    spoil(batch);
    expect_error(kInvalid, message, [&] { batch.validate(11, 2, 5); });
  };
  refused("at least one row but found 0 offsets", [](PackedBatch& b) { b.offsets.clear(); });
  refused("at least one row but found 1 offsets", [](PackedBatch& b) { b.offsets = {0}; });
  refused("offsets from 0 to 11 but found 1 to 11", [](PackedBatch& b) { b.offsets[0] = 1; });
  refused("offsets from 0 to 11 but found 0 to 12", [](PackedBatch& b) { b.offsets[4] = 12; });
  refused("found 4 then 4 at row 2", [](PackedBatch& b) { b.offsets[3] = 4; });
  refused("found 12 then 11 at row 3", [](PackedBatch& b) { b.offsets = {0, 3, 7, 12, 11}; });
  refused("Row 1 has 6 tokens but the model has only 5 positions",
          [](PackedBatch& b) { b.offsets[1] = 1, b.offsets[2] = 7; });
  refused("a number of rows that 3 columns divide but found 4", [](PackedBatch& b) { b.columns = 3; });
  refused("a number of rows that 0 columns divide", [](PackedBatch& b) { b.columns = 0; });
  refused("token ids from 0 to 10 but found 11 at token 5", [](PackedBatch& b) { b.ids[5] = 11; });
  refused("token ids from 0 to 10 but found -1 at token 0", [](PackedBatch& b) { b.ids[0] = -1; });
  refused("11 token types but found 10", [](PackedBatch& b) { b.token_types.pop_back(); });
  refused("token types from 0 to 1 but found 2 at token 10", [](PackedBatch& b) { b.token_types[10] = 2; });
  refused("token types from 0 to 1 but found -1", [](PackedBatch& b) { b.token_types[3] = -1; });
  refused("4 prompt lengths but found 3", [](PackedBatch& b) { b.prompt_lengths.pop_back(); });
  refused("prompt lengths of 0 or more but found -1 at row 2", [](PackedBatch& b) { b.prompt_lengths[2] = -1; });
}

// ---------------------------------------------------------------------------------------------------------- Layout

struct Sample {
  Layout layout;
  ParamId frozen, bias, fused, word, fused_bias;
  Sample() {
    frozen = layout.add("pooler", {2, 2}, Group::kFrozen);
    bias = layout.add("norm", {3}, Group::kNoDecay);
    fused = layout.add_fused({"q", "k", "v"}, {2, 5}, Group::kDecay);
    word = layout.add("word", {4, 3}, Group::kDecay);
    fused_bias = layout.add_fused({"q.bias", "k.bias"}, {2}, Group::kNoDecay);
    layout.finish();
  }
};

template <typename T>
TensorRange range_of(const std::string& name, const char* dtype, std::vector<T>& values, int64_t start = 0) {
  return {name, start, dtype, values.data(), static_cast<int64_t>(values.size() * sizeof(T))};
}

TEST(Layout, GroupsFollowEachOtherOnCacheLines) {
  const Sample s;
  EXPECT_EQ(s.layout.decay_end(), 32 + 16);  // 30 and 12 elements, each rounded up to 16
  EXPECT_EQ(s.layout.trained_end(), 48 + 16 + 16);
  EXPECT_EQ(s.layout.size(), 80 + 16);
  const at::Tensor flat = at::arange(s.layout.size(), at::kFloat);
  EXPECT_EQ(s.layout.view(flat, s.fused).sizes(), (at::IntArrayRef{6, 5}));
  EXPECT_EQ(s.layout.view(flat, s.fused)[0][0].item<float>(), 0);
  EXPECT_EQ(s.layout.view(flat, s.word)[0][0].item<float>(), 32);
  EXPECT_EQ(s.layout.view(flat, s.bias)[0].item<float>(), 48);
  EXPECT_EQ(s.layout.view(flat, s.fused_bias)[3].item<float>(), 67);
  EXPECT_EQ(s.layout.view(flat, s.frozen)[1][1].item<float>(), 83);
}

TEST(Layout, ViewsOfTrainedOnlyLackTheFrozen) {
  const Sample s;
  const std::vector<at::Tensor> views = s.layout.views(at::zeros({s.layout.trained_end()}, at::kFloat));
  EXPECT_FALSE(views[s.frozen].defined());
  EXPECT_TRUE(views[s.fused_bias].defined());
}

TEST(Layout, TensorsKeepTheOrderOfAdditionAndTheShapeOfEach) {
  const Sample s;
  std::vector<std::string> all, trained;
  for (const TensorInfo& info : s.layout.tensors()) all.push_back(info.name);
  for (const TensorInfo& info : s.layout.tensors(true)) trained.push_back(info.name);
  EXPECT_EQ(all, (std::vector<std::string>{"pooler", "norm", "q", "k", "v", "word", "q.bias", "k.bias"}));
  EXPECT_EQ(trained, (std::vector<std::string>{"norm", "q", "k", "v", "word", "q.bias", "k.bias"}));
  EXPECT_EQ(s.layout.tensors()[3].shape, (std::vector<int64_t>{2, 5}));
  EXPECT_EQ(s.layout.tensors()[3].group, Group::kDecay);
  EXPECT_TRUE(s.layout.contains("k.bias"));
  EXPECT_FALSE(s.layout.contains("bias"));
}

TEST(Layout, FusedTensorsLieSideBySide) {
  const Sample s;
  at::Tensor flat = at::zeros({s.layout.size()}, at::kFloat);
  int part = 0;
  for (const char* name : {"q", "k", "v"}) {
    std::vector<float> values(10);
    for (int i = 0; i < 10; ++i) values[i] = static_cast<float>(10 * part + i);
    s.layout.load(flat, range_of(name, "F32", values));
    ++part;
  }
  EXPECT_TRUE(same_bits(s.layout.view(flat, s.fused).reshape({-1}), at::arange(30, at::kFloat)));
  EXPECT_EQ(flat.slice(0, 30).abs().sum().item<float>(), 0);
}

TEST(Layout, PartialRangesOfEveryDtype) {
  const Sample s;
  at::Tensor flat = at::zeros({s.layout.size()}, at::kFloat);
  std::vector<float> singles{1.5F, -2, 3};
  std::vector<double> doubles{0.25, 1e-3};
  std::vector<uint16_t> halves{0x3C00, 0xC000};  // 1, -2
  std::vector<uint16_t> brains{0x3F80, 0x4049};  // 1, 3.140625
  s.layout.load(flat, range_of("word", "F32", singles, 2));
  s.layout.load(flat, range_of("word", "F64", doubles, 5));
  s.layout.load(flat, range_of("word", "F16", halves, 7));
  s.layout.load(flat, range_of("word", "BF16", brains, 10));
  const std::vector<float> expected{0, 0, 1.5F, -2, 3, 0.25F, 1e-3F, 1, -2, 0, 1, 3.140625F};
  std::vector<float> all(12);
  s.layout.dump(flat, range_of("word", "F32", all));
  EXPECT_EQ(all, expected);
  std::vector<double> two(2);
  s.layout.dump(flat, range_of("word", "F64", two, 10));
  EXPECT_EQ(two, (std::vector<double>{1, 3.140625}));
  std::vector<uint16_t> back(2);
  s.layout.dump(flat, range_of("word", "F16", back, 7));
  EXPECT_EQ(back, halves);
  s.layout.dump(flat, range_of("word", "BF16", back, 10));
  EXPECT_EQ(back, brains);
}

TEST(Layout, RangesOutsideATensorAreRefused) {
  const Sample s;
  at::Tensor flat = at::zeros({s.layout.size()}, at::kFloat);
  std::vector<float> five(5);
  expect_error(kTensors, "no tensor named x", [&] { s.layout.load(flat, range_of("x", "F32", five)); });
  expect_error(kTensors, "q has 10 elements but the range is 6 to 11",
               [&] { s.layout.load(flat, range_of("q", "F32", five, 6)); });
  expect_error(kTensors, "q has 10 elements but the range is -1 to 4",
               [&] { s.layout.dump(flat, range_of("q", "F32", five, -1)); });
  expect_error(kTensors, "norm has 3 elements", [&] { s.layout.dump(flat, range_of("norm", "F32", five)); });
  expect_error(kTensors, "F64, F32, F16 or BF16 for tensor q but found I64",
               [&] { s.layout.load(flat, range_of("q", "I64", five)); });
  EXPECT_NO_THROW(s.layout.load(flat, range_of("q", "F32", five, 5)));
}

TEST(Layout, ValuesThatAreNotFiniteAreRefusedAndLeaveTheOldOnes) {
  const Sample s;
  at::Tensor flat = at::zeros({s.layout.size()}, at::kFloat);
  for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    std::vector<float> values{1, bad, 3};
    expect_error(kTensors, "norm holds a value that is not finite",
                 [&] { s.layout.load(flat, range_of("norm", "F32", values)); });
  }
  std::vector<uint16_t> half_infinity{0x7C00};
  expect_error(kTensors, "not finite", [&] { s.layout.load(flat, range_of("norm", "F16", half_infinity)); });
  std::vector<double> beyond_float{1e300};
  expect_error(kTensors, "not finite", [&] { s.layout.load(flat, range_of("norm", "F64", beyond_float)); });
  EXPECT_EQ(flat.abs().sum().item<float>(), 0);
}

TEST(Parameters, ComputeCopyFollowsTheMasters) {
  Parameters p;
  const ParamId id = p.layout.add("w", {2}, Group::kDecay);
  p.allocate(at::kCPU, at::kBFloat16);
  std::vector<float> values{1.00390625F, 2};  // the first lies between two bf16 numbers
  p.load(range_of("w", "F32", values));
  EXPECT_EQ(p.value(id)[0].item<float>(), 0);
  p.refresh();
  EXPECT_EQ(p.value(id).scalar_type(), at::kBFloat16);
  EXPECT_EQ(p.value(id)[0].item<float>(), 1);
  EXPECT_EQ(p.master(id)[0].item<float>(), 1.00390625F);
  Parameters exact;
  exact.layout.add("w", {2}, Group::kDecay);
  exact.allocate(at::kCPU, at::kDouble);
  EXPECT_TRUE(exact.value(0).is_alias_of(exact.master(0)));
}

// ------------------------------------------------------------------------------------------------------- Workspace

TEST(Workspace, TakesAlignedMemoryThatDoesNotOverlap) {
  Workspace workspace(at::kCPU);
  const at::Tensor a = workspace.take({3, 5}, at::kFloat), b = workspace.take({7}, at::kDouble);
  const char *first = static_cast<char*>(a.data_ptr()), *second = static_cast<char*>(b.data_ptr());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(second) % 64, 0U);
  EXPECT_GE(second - first, 60);
  EXPECT_EQ(a.sizes(), (at::IntArrayRef{3, 5}));
  EXPECT_EQ(b.scalar_type(), at::kDouble);
}

TEST(Workspace, ScratchIsGivenBackAndMemoryIsReused) {
  Workspace workspace(at::kCPU);
  const void* kept = workspace.take({100}, at::kFloat).data_ptr();
  const void* inner = nullptr;
  {
    const Scratch scratch(workspace);
    inner = workspace.take({100}, at::kFloat).data_ptr();
    EXPECT_NE(inner, kept);
  }
  EXPECT_EQ(workspace.take({50}, at::kFloat).data_ptr(), inner);
  workspace.reset();
  EXPECT_EQ(workspace.take({10}, at::kFloat).data_ptr(), kept);
}

TEST(Workspace, GrowsWithoutMovingWhatWasTakenAndBecomesOneBlock) {
  Workspace workspace(at::kCPU);
  constexpr int64_t kBlock = 16 << 20;
  at::Tensor first = workspace.take({kBlock - 64}, at::kByte);
  first.fill_(7);
  EXPECT_EQ(workspace.bytes(), kBlock);
  {
    const Scratch scratch(workspace);
    workspace.take({3 * kBlock}, at::kByte).fill_(1);
    EXPECT_EQ(workspace.bytes(), 4 * kBlock);
  }
  EXPECT_EQ(first.min().item<int>(), 7);
  const int64_t total = workspace.bytes();
  workspace.reset();
  EXPECT_EQ(workspace.bytes(), total);
  workspace.take({4 * kBlock}, at::kByte).fill_(1);  // fits in the one block
  EXPECT_EQ(workspace.bytes(), total);
}

// ---------------------------------------------------------------------------------------------------------- Philox

std::vector<uint32_t> words(const Philox& draw) {
  return {draw.x[0], draw.x[1], draw.x[2], draw.x[3]};
}

// The known answers of philox4x32-10 in the Random123 distribution (kat_vectors).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(words(Philox(0, 0, 0, 0, 0)), (std::vector<uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(words(Philox(~uint64_t{0}, kOnes, kOnes, kOnes, kOnes)),
            (std::vector<uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(words(Philox(0x299f31d0a4093822, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344)),
            (std::vector<uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(DropoutKey, DependsOnSeedStepAndAccumulation) {
  const uint64_t key = DropoutKey(1, 2, 3).key;
  EXPECT_EQ(DropoutKey(1, 2, 3).key, key);
  EXPECT_NE(DropoutKey(2, 2, 3).key, key);
  EXPECT_NE(DropoutKey(1, 3, 3).key, key);
  EXPECT_NE(DropoutKey(1, 2, 4).key, key);
  EXPECT_NE(DropoutKey(1, 3, 2).key, key);
}

}  // namespace

}  // namespace st::test
