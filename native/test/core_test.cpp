// Options, batches, devices, random numbers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/device.h"
#include "core/features.h"
#include "core/philox.h"
#include "engine/runtime.h"
#include "ops/cpu/kernels.h"
#include "support.h"

namespace st::test {

namespace {

constexpr const char* kInvalid = "ERR_INVALID_ARGUMENT";

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

TEST(Runtime, SaysWhatItRunsOn) {
  const RuntimeInfo info = runtime_info();
  EXPECT_EQ(info.cpu_kernels, kernels::chosen());
  EXPECT_EQ(info.libtorch_version.rfind(ST_TORCH_VERSION, 0), 0U) << info.libtorch_version;
  ASSERT_EQ(info.devices.size(), 1U);
  EXPECT_EQ(info.devices[0].first, "cpu");
  EXPECT_EQ(info.fast_dtypes[0], "float32");
  if (info.cpu_kernels == "avx512") {
    EXPECT_EQ(std::count(info.cpu_features.begin(), info.cpu_features.end(), "avx512f"), 1);
  }
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
