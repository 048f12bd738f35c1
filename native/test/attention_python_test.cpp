// Attention and its buckets of relative positions against values from transformers.
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <utility>

#include "ops/attention.h"
#include "support.h"

namespace st::test {

namespace {

struct Buckets {
  const char* name;
  int64_t buckets, max_distance;
  bool both_ways;
  std::vector<std::pair<int64_t, int64_t>> begins;  // the first distance, from -1200 on, and its bucket
};

// T5Attention._relative_position_bucket(torch.arange(-1200, 1201), both_ways, buckets, max_distance), and
// MPNetEncoder.relative_position_bucket(torch.arange(-1200, 1201), 32).
const std::vector<Buckets> kBuckets = {
    {"mpnet", 32, 128, true, {{-1200, 15}, {-90, 14}, {-63, 13}, {-45, 12}, {-31, 11}, {-22, 10}, {-15, 9}, {-11, 8},
                              {-7, 7},     {-6, 6},   {-5, 5},   {-4, 4},   {-3, 3},   {-2, 2},   {-1, 1},  {0, 0},
                              {1, 17},     {2, 18},   {3, 19},   {4, 20},   {5, 21},   {6, 22},   {7, 23},  {8, 24},
                              {12, 25},    {16, 26},  {23, 27},  {32, 28},  {46, 29},  {64, 30},  {91, 31}}},
    {"t", 32, 128, true, {{-1200, 15}, {-90, 14}, {-63, 13}, {-45, 12}, {-31, 11}, {-22, 10}, {-15, 9}, {-11, 8},
                          {-7, 7},     {-6, 6},   {-5, 5},   {-4, 4},   {-3, 3},   {-2, 2},   {-1, 1},  {0, 0},
                          {1, 17},     {2, 18},   {3, 19},   {4, 20},   {5, 21},   {6, 22},   {7, 23},  {8, 24},
                          {12, 25},    {16, 26},  {23, 27},  {32, 28},  {46, 29},  {64, 30},  {91, 31}}},
    {"t one way", 32, 128, false, {{-1200, 31}, {-112, 30}, {-98, 29}, {-86, 28}, {-76, 27}, {-66, 26}, {-58, 25},
                                   {-51, 24},   {-45, 23},  {-39, 22}, {-34, 21}, {-30, 20}, {-26, 19}, {-23, 18},
                                   {-20, 17},   {-18, 16},  {-15, 15}, {-14, 14}, {-13, 13}, {-12, 12}, {-11, 11},
                                   {-10, 10},   {-9, 9},    {-8, 8},   {-7, 7},   {-6, 6},   {-5, 5},   {-4, 4},
                                   {-3, 3},     {-2, 2},    {-1, 1},   {0, 0}}},
    {"t", 10, 20, true, {{-1200, 4}, {-9, 3}, {-4, 2}, {-1, 1}, {0, 0}, {1, 6}, {2, 7}, {5, 8}, {10, 9}}},
    {"t one way", 7, 50, false, {{-1200, 6}, {-24, 5}, {-12, 4}, {-6, 3}, {-2, 2}, {-1, 1}, {0, 0}}},
    {"t", 64, 1000, true, {{-1200, 31}, {-772, 30}, {-596, 29}, {-460, 28}, {-355, 27}, {-274, 26}, {-212, 25},
                           {-163, 24},  {-126, 23}, {-97, 22},  {-75, 21},  {-58, 20},  {-44, 19},  {-34, 18},
                           {-26, 17},   {-20, 16},  {-15, 15},  {-14, 14},  {-13, 13},  {-12, 12},  {-11, 11},
                           {-10, 10},   {-9, 9},    {-8, 8},    {-7, 7},    {-6, 6},    {-5, 5},    {-4, 4},
                           {-3, 3},     {-2, 2},    {-1, 1},    {0, 0},     {1, 33},    {2, 34},    {3, 35},
                           {4, 36},     {5, 37},    {6, 38},    {7, 39},    {8, 40},    {9, 41},    {10, 42},
                           {11, 43},    {12, 44},   {13, 45},   {14, 46},   {15, 47},   {16, 48},   {21, 49},
                           {27, 50},    {35, 51},   {45, 52},   {59, 53},   {76, 54},   {98, 55},   {127, 56},
                           {164, 57},   {213, 58},  {275, 59},  {356, 60},  {461, 61},  {597, 62},  {773, 63}}},
};

TEST(AttentionPython, Buckets) {
  for (const Buckets& expected : kBuckets) {
    for (size_t i = 0; i < expected.begins.size(); ++i) {
      const auto [from, bucket] = expected.begins[i];
      const int64_t end = i + 1 < expected.begins.size() ? expected.begins[i + 1].first : 1201;
      for (int64_t distance = from; distance < end; ++distance) {
        ASSERT_EQ(relative_bucket(distance, expected.buckets, expected.max_distance, expected.both_ways), bucket)
            << expected.name << ", distance " << distance;
      }
    }
  }
}

// size * sin(step * i + 1) for i = 0, 1, ...
at::Tensor wave(int64_t rows, int64_t width, double step, double size) {
  at::Tensor out = at::zeros({rows, width}, at::kDouble);
  double* to = out.data_ptr<double>();
  for (int64_t i = 0; i < rows * width; ++i) to[i] = size * std::sin(step * static_cast<double>(i) + 1);
  return out;
}

struct Golden {
  const char* name;
  int32_t queries, keys;
  AttentionShape shape;
  int64_t buckets, max_distance;
  bool both_ways;
  std::vector<double> out;  // the first ones
};

// eager_attention_forward of modeling_llama.py on wave(queries, X, 0.7, 1.5), wave(keys, Y, 1.3, 1.5) and wave(keys, Y,
// 2.1, 1.5) in float64, except for its softmax in float32, with the masks of masking_utils.py: causal_mask_function,
// sliding_window_bidirectional_overlay(1), sliding_window_overlay(3), where a token sees itself and two more; with the
// biases of T5Attention.compute_bias and MPNetEncoder.compute_position_bias of a table wave(buckets, heads, 0.9, 1).
const double kHalf = std::sqrt(0.5);
const std::vector<Golden> kGolden = {
    {"groups, causal",
     4,
     4,
     {.heads = 4, .kv_heads = 2, .head_dim = 2, .scale = kHalf, .causal = true},
     0,
     0,
     false,
     {1.26220647721,   0.0623709936499, 1.26220647721,  0.0623709936499, -1.32518198358,  1.27565493094,
      -1.32518198358,  1.27565493094,   0.710152917928, -0.557506515095, 0.989915714574,  -0.243372765728,
      -0.222323904262, 0.742474709063,  -1.04032984886, 1.13794227615,   -0.256911627383, 0.0379365218068,
      0.869403589335,  -0.278588205807, 0.28164057146,  -0.531945743798, -0.867880781154, 1.01225781873,
      0.22598873548,   0.372414433398,  0.570782737757, -0.379842461109, -0.348859211796, -0.195517017465,
      -0.300234346372, 0.562924905457}},
    {"window",
     6,
     6,
     {.heads = 1, .kv_heads = 1, .head_dim = 2, .scale = kHalf, .window = 1},
     0,
     0,
     false,
     {1.23220626867, 0.0764387720103, 0.611925192605, -0.08987878086, -0.843905570815, 0.987924204218, -0.760038931601,
      0.762293648784, -0.0691746326763, -0.631095811116, -0.0597745588965, -1.19454257533}},
    {"causal window, cache",
     3,
     6,
     {.heads = 1, .kv_heads = 1, .head_dim = 2, .scale = kHalf, .causal = true, .window = 2},
     0,
     0,
     false,
     {0.214318087543, -1.02833726792, 0.59280044037, -0.243833615527, -0.179474317611, 0.634487334388}},
    {"t5 encoder",
     9,
     9,
     {.heads = 2, .kv_heads = 2, .head_dim = 2, .scale = 1},
     8,
     6,
     true,
     {0.947706508896,  -0.0167887783917, 0.129604612154,  -0.499057948974, -0.168605312657,  0.511963497736,
      -0.283724068451, -0.35598914902,   0.579049484594,  -0.451521854615, -0.0448456379864, -1.04495217407,
      0.293536347201,  0.124904632414,   -0.570058570844, -0.02453878754,  -0.303520275011,  0.372411330287,
      -0.246630922114, -0.79501001787,   -0.259903101016, 0.485475958528,  -0.668541803703,  0.220592163586,
      -0.518636025388, 0.721347506582,   -0.205546512153, -0.633633328683, 0.970986925582,   -0.133392345862,
      -0.102675560969, 0.490101002626,   0.0353186053302, 0.526966679338,  0.0827792628495,  0.104455989719}},
    {"t5 decoder",
     3,
     8,
     {.heads = 2, .kv_heads = 2, .head_dim = 2, .scale = 1, .causal = true},
     8,
     6,
     false,
     {-0.000293007679616, -0.0991578733774, 0.140104058973, -0.788891025545, 0.572326094315, 0.202880007133,
      -0.909446365306, 0.742244723043, 0.68022797699, -0.524748566023, -0.0304180769719, -0.178045425418}},
    {"mpnet",
     11,
     11,
     {.heads = 2, .kv_heads = 2, .head_dim = 2, .scale = kHalf},
     32,
     128,
     true,
     {0.666738252696,   0.0826087738115, 0.047823985634,  -0.298063079134, 0.866894132186,  -0.130398999585,
      -0.0254748219462, 0.108703190838,  0.0209438702665, -0.57496197662,  -0.192495832517, -0.258820194975,
      0.188173392711,   0.135212800959,  -0.553078620905, 0.297722825889,  0.527984518192,  -0.249726597792,
      -0.464218012027,  0.206591116739,  -0.196293024334, -0.130862953736, -0.348465526432, 0.0945766114423}},
};

TEST(AttentionPython, Outputs) {
  for (const Golden& golden : kGolden) {
    const AttentionShape& shape = golden.shape;
    const int64_t x = shape.heads * shape.head_dim, y = shape.kv_heads * shape.head_dim;
    const int32_t first = 0;
    const RelativeBias bias{golden.buckets > 0 ? wave(golden.buckets, shape.heads, 0.9, 1) : at::Tensor(),
                            golden.max_distance, golden.both_ways};
    const AttentionCall call{.queries = {.rows = 1, .first = &first, .length = &golden.queries},
                             .keys = {.rows = 1, .first = &first, .length = &golden.keys},
                             .shape = shape,
                             .bias = golden.buckets > 0 ? &bias : nullptr};
    const Projections qkv{wave(golden.queries, x, 0.7, 1.5), wave(golden.keys, y, 1.3, 1.5),
                          wave(golden.keys, y, 2.1, 1.5)};
    const auto count = static_cast<int64_t>(golden.out.size());
    const at::Tensor expected = at::tensor(golden.out, at::kDouble);
    for (const auto& work : {attention, reference::attention}) {
      const at::Tensor out = at::zeros({golden.queries, x}, at::kDouble);
      work(call, qkv, out, {}, {});
      expect_close(out.view(-1).narrow(0, 0, count), expected, 5e-7, golden.name);
    }
    // The kernels of floats are others.
    const at::Tensor out = at::zeros({golden.queries, x}, at::kFloat);
    attention(call, {qkv.q.to(at::kFloat), qkv.k.to(at::kFloat), qkv.v.to(at::kFloat)}, out, {}, {});
    expect_close(out.view(-1).narrow(0, 0, count), expected.to(at::kFloat), 1e-5, golden.name);
  }
}

}  // namespace

}  // namespace st::test
