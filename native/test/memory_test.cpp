// Where parameters and activations lie.
#include "core/memory.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/finite.h"
#include "core/layout.h"
#include "core/parameters.h"
#include "core/workspace.h"
#include "support.h"

namespace st::test {

namespace {

constexpr const char* kTensors = "ERR_INVALID_TENSORS";

// --------------------------------------------------------------------------------------------------------- Memory

TEST(ZerosInHugePages, AreZerosOnAPageOfTheirOwn) {
  for (const int64_t count : {3, (4 << 18) - 1, (5 << 18) + 3}) {
    const at::Tensor zeros = zeros_in_huge_pages({count}, at::kFloat, at::kCPU);
    EXPECT_EQ(zeros.sizes(), at::IntArrayRef({count}));
    EXPECT_EQ(zeros.count_nonzero().item<int64_t>(), 0);
    zeros.fill_(1);
    EXPECT_EQ(zeros.sum().item<double>(), static_cast<double>(count));
  }
  const std::vector<int64_t> huge = {int64_t{1} << 53, 16};
  expect_error("ERR_INVALID_ARGUMENT", "a tensor", [&] { zeros_in_huge_pages(huge, at::kFloat, at::kCPU); });
}

TEST(AreFinite, IsWhatTheExponentSays) {
  for (const size_t count : {1, 63, 64, 65, 200}) {
    for (size_t at = 0; at < count; at += 7) {
      // One more, so that the values begin off their alignment.
      std::vector<char> bytes(count * sizeof(float) + 1);
      const auto with = [&](float value) {
        std::vector<float> values(count, -std::numeric_limits<float>::max());
        values[at] = value;
        std::memcpy(bytes.data() + 1, values.data(), count * sizeof(float));
        return are_finite(bytes.data() + 1, static_cast<int64_t>(count * sizeof(float)));
      };
      EXPECT_TRUE(with(std::numeric_limits<float>::denorm_min()));
      EXPECT_FALSE(with(std::numeric_limits<float>::infinity()));
      EXPECT_FALSE(with(-std::numeric_limits<float>::infinity()));
      EXPECT_FALSE(with(std::numeric_limits<float>::quiet_NaN()));
    }
  }
}

// ---------------------------------------------------------------------------------------------------------- Layout

struct Sample {
  Layout layout;
  ParamId frozen, bias, fused, word, fused_bias;
  Sample() {
    frozen = layout.add("pooler", {2, 2}, Group::kFrozen);
    bias = layout.add("norm", {3}, Group::kNoDecay);
    fused = layout.add_fused({{"q", {2, 5}}, {"k", {2, 5}}, {"v", {2, 5}}}, Group::kDecay);
    word = layout.add("word", {4, 3}, Group::kDecay);
    fused_bias = layout.add_fused({{"q.bias", {2}}, {"k.bias", {2}}}, Group::kNoDecay);
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

TEST(Layout, ABlockHasASecondName) {
  Layout layout;
  layout.add("before", {3}, Group::kDecay);
  const ParamId block = layout.add_fused({{"q", {4, 2}}, {"k", {1, 2}}, {"v", {2, 2}}}, Group::kDecay, "qkv");
  layout.add_fused({{"q.bias", {2}}, {"k.bias", {2}}}, Group::kNoDecay, "qkv.bias");
  layout.add_fused({{"up", {2}}, {"gate", {2}}}, Group::kNoDecay);
  layout.finish();
  std::vector<std::string> blocks;
  for (const TensorInfo& info : layout.tensors()) blocks.push_back(info.block);
  EXPECT_EQ(blocks, (std::vector<std::string>{"", "qkv", "qkv", "qkv", "qkv.bias", "qkv.bias", "", ""}));
  EXPECT_EQ(layout.span("qkv").offset, 16);
  EXPECT_EQ(layout.span("qkv").count, 14);
  EXPECT_EQ(layout.span("k").offset, 16 + 8);
  EXPECT_EQ(layout.span("v").count, 4);

  at::Tensor flat = at::zeros({layout.size()}, at::kFloat);
  EXPECT_EQ(layout.view(flat, block).sizes(), (at::IntArrayRef{7, 2}));
  std::vector<float> values(14), parts(4), end(3);
  for (int i = 0; i < 14; ++i) values[i] = static_cast<float>(i);
  layout.load(flat, range_of("qkv", "F32", values));
  layout.dump(flat, range_of("v", "F32", parts));
  EXPECT_EQ(parts, (std::vector<float>{10, 11, 12, 13}));
  layout.dump(flat, range_of("qkv", "F32", end, 9));
  EXPECT_EQ(end, (std::vector<float>{9, 10, 11}));
  expect_error(kTensors, "Tensor qkv has 14 elements but the range is 13 to 16",
               [&] { layout.dump(flat, range_of("qkv", "F32", end, 13)); });
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
  std::vector<int64_t> counts{7, 16777216}, found(2);
  s.layout.load(flat, range_of("q", "I64", counts, 3));
  s.layout.dump(flat, range_of("q", "I64", found, 3));
  EXPECT_EQ(found, counts);
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
  expect_error(kTensors, "F64, F32, F16, BF16 or I64 for tensor q but found I32",
               [&] { s.layout.load(flat, range_of("q", "I32", five)); });
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

}  // namespace

}  // namespace st::test
