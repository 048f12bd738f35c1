// Linear layers by the processor's own kernels against ATen in double precision.
#include "ops/product.h"

#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/round.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <utility>

#include "core/device.h"
#include "ops/cpu/products.h"
#include "ops/linear.h"
#include "support.h"

namespace st::test {

namespace {

struct Shape {
  int64_t tokens, in, out;
};

// Whole and broken blocks, panels and strips; few rows (threads share columns) and many.
const std::vector<Shape> kShapes = {{1, 32, 1},      {2, 64, 33},    {7, 96, 48},   {31, 384, 96},  {33, 416, 100},
                                    {65, 32, 17},    {100, 800, 5},  {257, 64, 66}, {803, 96, 130}, {1600, 32, 40},
                                    {801, 224, 700}, {90, 1602, 98}, {9, 35, 50}};

at::Tensor values(at::IntArrayRef shape, at::ScalarType type, uint64_t seed) {
  return random_tensor(shape, at::kFloat, seed).to(type);
}

// What float sums of bf16 products, then rounded to the storage type, may differ by from exact ones.
double tolerance(at::ScalarType type, int64_t depth) {
  return type == at::kFloat ? 1e-6 * static_cast<double>(depth) : 8e-3 + 1e-6 * static_cast<double>(depth);
}

void expect_product(const at::Tensor& found, const at::Tensor& expected, int64_t depth, const std::string& what) {
  expect_close(found.to(at::kDouble), expected, tolerance(found.scalar_type(), depth), what);
}

}  // namespace

TEST(Product, LinearForwardAndBackward) {
  Workspace workspace(at::kCPU);
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const Shape& shape : kShapes) {
      const std::string what = std::string(c10::toString(type)) + " " + std::to_string(shape.tokens) + " x " +
                               std::to_string(shape.in) + " x " + std::to_string(shape.out);
      const at::Tensor x = values({shape.tokens, shape.in}, type, 1), w = values({shape.out, shape.in}, type, 2);
      const at::Tensor bias = random_tensor({shape.out}, at::kFloat, 3);
      const at::Tensor exact = at::mm(x.to(at::kDouble), w.to(at::kDouble).t());
      at::Tensor y = at::zeros({shape.tokens, shape.out}, type);
      linear(x, {w, nullptr, workspace}, bias, y);
      expect_product(y, exact + bias, shape.in, what);
      linear(x, {w, nullptr, workspace}, at::Tensor(), y);
      expect_product(y, exact, shape.in, what + " without bias");
      if (const at::Tensor packed = pack_weight(w, shape.tokens, workspace); packed.defined()) {
        at::Tensor again = at::zeros_like(y);
        linear(x, {w, &packed, workspace}, at::Tensor(), again);
        // Few rows have a kernel that does not pack, with another order of sums.
        expect_product(again, exact, shape.in, what + " from a weight that was packed before");
        constexpr int64_t kFew = 48;
        EXPECT_TRUE(shape.tokens <= kFew || again.equal(y)) << what << " from a weight that was packed before";
      }

      const at::Tensor d_y = values({shape.tokens, shape.out}, type, 4), d_x_before = values(x.sizes(), type, 5);
      const at::Tensor d_exact = at::mm(d_y.to(at::kDouble), w.to(at::kDouble));
      at::Tensor d_x = at::zeros_like(x);
      linear_backward_input(d_y, {w, nullptr, workspace}, d_x, false);
      expect_product(d_x, d_exact, shape.out, what + ", d_x");
      d_x.copy_(d_x_before);
      linear_backward_input(d_y, {w, nullptr, workspace}, d_x, true);
      expect_product(d_x, d_exact + d_x_before, shape.out, what + ", d_x added");

      // ATen rounds the product of bf16 before it is added.
      const at::Tensor d_w_before = random_tensor(w.sizes(), at::kFloat, 6);
      at::Tensor d_w = d_w_before.clone();
      linear_backward_weight(d_y, x, d_w, workspace);
      expect_close(
          d_w.to(at::kDouble), at::mm(d_y.to(at::kDouble).t(), x.to(at::kDouble)) + d_w_before,
          1e-6 * static_cast<double>(shape.tokens + 1) + (product::available(x) || type == at::kFloat ? 0 : 8e-3),
          what + ", d_weight");
    }
  }
}

// What an adapter adds: whole, or as two factors, whose second lies in either way.
TEST(Product, Addends) {
  Workspace workspace(at::kCPU);
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const Shape& shape : kShapes) {
      for (int64_t rank : {1, 16, 48, 70}) {
        const std::string what = std::string(c10::toString(type)) + " " + std::to_string(shape.tokens) + " x " +
                                 std::to_string(shape.in) + " x " + std::to_string(shape.out) + ", rank " +
                                 std::to_string(rank);
        const at::Tensor x = values({shape.tokens, shape.in}, type, 1), w = values({shape.out, shape.in}, type, 2);
        const at::Tensor inner = random_tensor({shape.tokens, rank}, at::kFloat, 3);
        const at::Tensor b = random_tensor({shape.out, rank}, at::kFloat, 4);
        const at::Tensor added = at::mm(inner.to(at::kDouble), b.t().to(at::kDouble));
        const at::Tensor exact = at::mm(x.to(at::kDouble), w.to(at::kDouble).t()) + added;
        at::Tensor y = at::zeros({shape.tokens, shape.out}, type);
        linear(x, {w, nullptr, workspace, {{}, inner, {{0, 0, b.t()}}}}, at::Tensor(), y);
        // ATen rounds a bfloat16 product, and the addend, before it adds them.
        const int64_t depth = shape.in + rank;
        const double rounded = type == at::kBFloat16 && !product::available(x) ? 0.3 : 0;
        expect_close(y.to(at::kDouble), exact, tolerance(type, depth) + rounded, what);
        linear(x, {w, nullptr, workspace, {added.to(at::kFloat)}}, at::Tensor(), y);
        expect_close(y.to(at::kDouble), exact, tolerance(type, depth) + rounded, what + ", whole");

        const at::Tensor d_y = values({shape.tokens, shape.out}, type, 5);
        const at::Tensor a = random_tensor({rank, shape.in}, at::kFloat, 6), d_x_before = values(x.sizes(), type, 7);
        at::Tensor d_x = d_x_before.clone();
        linear_backward_input(d_y, {w, nullptr, workspace, {{}, inner, {{0, 0, a}}}}, d_x, true);
        expect_close(d_x.to(at::kDouble),
                     at::mm(d_y.to(at::kDouble), w.to(at::kDouble)) + at::mm(inner.to(at::kDouble), a.to(at::kDouble)) +
                         d_x_before,
                     tolerance(type, shape.out + rank) + rounded, what + ", d_x");
      }
    }
  }
}

// Of parts of a fused matrix: each reads its own columns and adds to its own.
TEST(Product, AddendsOfParts) {
  Workspace workspace(at::kCPU);
  for (at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    for (int64_t tokens : {3, 130}) {
      const at::ScalarType master = type == at::kDouble ? at::kDouble : at::kFloat;
      const at::Tensor x = values({tokens, 64}, type, 1), w = values({150, 64}, type, 2);
      const at::Tensor inner = random_tensor({tokens, 19}, master, 3);
      const at::Tensor first = random_tensor({61, 16}, master, 4), last = random_tensor({49, 3}, master, 5);
      at::Tensor exact = at::mm(x.to(at::kDouble), w.to(at::kDouble).t());
      exact.narrow(1, 20, 61) += at::mm(inner.narrow(1, 0, 16).to(at::kDouble), first.t().to(at::kDouble));
      exact.narrow(1, 101, 49) += at::mm(inner.narrow(1, 16, 3).to(at::kDouble), last.t().to(at::kDouble));
      at::Tensor y = at::zeros({tokens, 150}, type);
      linear(x, {w, nullptr, workspace, {{}, inner, {{0, 20, first.t()}, {16, 101, last.t()}}}}, at::Tensor(), y);
      const double rounded = type == at::kBFloat16 && !product::available(x) ? 0.1 : 0;
      expect_close(y.to(at::kDouble), exact, tolerance(type, 83) + rounded, c10::toString(type));
    }
  }
}

// Products of x itself are added to the narrow matrix before it is read, on any number of threads.
TEST(Product, AddendsThatAreMade) {
  Workspace workspace(at::kCPU);
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (int64_t tokens : {3, 130, 700}) {
      const std::string what = std::string(c10::toString(type)) + " " + std::to_string(tokens);
      const at::Tensor x = random_tensor({tokens, 96}, type, 1), w = random_tensor({150, 96}, type, 2);
      const at::Tensor before = random_tensor({tokens, 19}, type, 3);
      const at::Tensor left = random_tensor({40, 16}, type, 4), right = random_tensor({3, 50}, type, 5);
      const at::Tensor factor = random_tensor({61, 19}, type, 6);
      at::Tensor made = before.to(at::kDouble).clone();
      made.narrow(1, 0, 16) += at::mm(x.narrow(1, 0, 40).to(at::kDouble), left.to(at::kDouble));
      made.narrow(1, 16, 3) += at::mm(x.narrow(1, 40, 50).to(at::kDouble), right.t().to(at::kDouble));
      const at::Tensor added = at::mm(made, factor.t().to(at::kDouble));
      const auto check = [&](int64_t width, const at::Tensor& whole, const auto& multiply) {
        at::Tensor expected = whole.clone(), first;
        expected.narrow(1, 20, 61) += added;
        for (int threads : {1, 2, 7}) {
          const Threads guard(threads);
          const at::Tensor inner = before.clone(), y = at::zeros({tokens, width}, type);
          const Addend addend{{}, inner, {{0, 20, factor.t()}}, {{0, 0, left}, {40, 16, right.t()}}};
          multiply(addend, y);
          expect_close(inner.to(at::kDouble), made, 1e-4, what + ", inner");
          expect_close(y.to(at::kDouble), expected, 1e-3, what);
          if (!first.defined()) first = y;
          EXPECT_TRUE(type == at::kDouble || !product::available(x) || y.equal(first)) << what << ", " << threads;
        }
      };
      check(150, at::mm(x.to(at::kDouble), w.t().to(at::kDouble)),
            [&](const Addend& addend, at::Tensor y) { linear(x, {w, nullptr, workspace, addend}, at::Tensor(), y); });
      const at::Tensor back = w.t().contiguous();
      check(150, at::mm(x.to(at::kDouble), back.to(at::kDouble)), [&](const Addend& addend, at::Tensor y) {
        linear_backward_input(x, {back, nullptr, workspace, addend}, y, false);
      });
    }
  }
}

// Views of wider matrices in every way that an adapter multiplies, on any number of threads.
TEST(Product, NarrowSides) {
  const std::vector<std::pair<int64_t, int64_t>> shapes = {{1, 32}, {7, 96}, {65, 33}, {403, 97}, {90, 802}};
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    const bool own = type == at::kFloat && kernels::products<float>() != nullptr;
    for (const auto& [tokens, in] : shapes) {
      for (int64_t rank : {1, 16, 33, 70}) {
        const std::string what = std::string(c10::toString(type)) + " " + std::to_string(tokens) + " x " +
                                 std::to_string(in) + ", rank " + std::to_string(rank);
        const auto wide = [&](int64_t rows, int64_t columns, uint64_t seed) {
          return random_tensor({rows, columns + 7}, type, seed).narrow(1, 3, columns);
        };
        const auto check = [&](const at::Tensor& a, const at::Tensor& b, const std::string& way) {
          at::Tensor whole = random_tensor({a.size(0), b.size(1) + 5}, type, 9);
          const at::Tensor before = whole.clone(), product = at::mm(a.to(at::kDouble), b.to(at::kDouble));
          std::vector<at::Tensor> found;
          for (int threads : {1, 2, 7}) {
            const Threads guard(threads);
            found.push_back(before.clone());
            product::add_narrow(a, b, found.back().narrow(1, 2, b.size(1)));
            EXPECT_TRUE(!own || found.back().equal(found[0])) << what << way << threads;
          }
          at::Tensor expected = before.to(at::kDouble);
          expected.narrow(1, 2, b.size(1)) += product;
          expect_close(found[0].to(at::kDouble), expected, 1e-6 * static_cast<double>(a.size(1) + 1), what + way);
        };
        const at::Tensor x = wide(tokens, in, 1), a = wide(rank, in, 2);
        const at::Tensor inner = wide(tokens, rank, 3), b = wide(in, rank, 4);
        check(x, a.t(), ", x a'");
        check(x, b, ", x b");
        check(inner.t(), x, ", inner' x");
        check(x.t(), inner, ", x' inner");
        check(inner, a, ", inner a");
      }
    }
  }
}

// Each sum of a weight's gradient is one thread's, in the same order whatever the thread's share is.
TEST(Product, WeightGradientOnAnyNumberOfThreads) {
  Workspace workspace(at::kCPU);
  const at::Tensor x = values({900, 160}, at::kFloat, 1), d_y = values({900, 330}, at::kFloat, 2);
  std::vector<at::Tensor> found;
  for (int threads : {1, 2, 7, 40}) {
    const Threads guard(threads);
    found.push_back(at::zeros({330, 160}));
    linear_backward_weight(d_y, x, found.back(), workspace);
  }
  if (!product::available(x)) GTEST_SKIP() << "ATen multiplies here";
  for (const at::Tensor& other : found) EXPECT_TRUE(other.equal(found[0]));
  expect_close(found[0].to(at::kDouble), at::mm(d_y.to(at::kDouble).t(), x.to(at::kDouble)), 1e-3, "d_weight");
}

// From numbers without a whole third part up to large ones, none touches its neighbours; signs and zeros are kept.
TEST(Product, FloatsOfAllSizes) {
  Workspace workspace(at::kCPU);
  const int64_t tokens = 130, in = 70, out = 45;
  const auto all_sizes = [](at::Tensor values, int64_t dim) {
    for (int64_t i = 0; i < values.size(dim); ++i) values.select(dim, i).mul_(std::pow(10.0, i % 23 * 3 - 44));
    return values;
  };
  // Each sum has terms of one size.
  const at::Tensor x = all_sizes(values({tokens, in}, at::kFloat, 1), 0), w = values({out, in}, at::kFloat, 2);
  at::Tensor y = at::zeros({tokens, out});
  linear(x, {w, nullptr, workspace}, at::Tensor(), y);
  const at::Tensor exact = at::mm(x.to(at::kDouble), w.to(at::kDouble).t());
  for (int64_t t = 0; t < tokens; ++t) {
    const double tiny = 1e-36;  // sums of what is no number of full precision any more
    const double scale = std::pow(10.0, t % 23 * 3 - 44);
    EXPECT_LT((y[t] - exact[t]).abs().max().item<double>(), 2e-5 * scale + tiny) << t;
  }
  const at::Tensor d_y = values({tokens, out}, at::kFloat, 3),
                   by_column = all_sizes(values(x.sizes(), at::kFloat, 4), 1);
  at::Tensor d_w = at::zeros({out, in});
  linear_backward_weight(d_y, by_column, d_w, workspace);
  const at::Tensor d_exact = at::mm(d_y.to(at::kDouble).t(), by_column.to(at::kDouble));
  for (int64_t i = 0; i < in; ++i) {
    const double scale = std::pow(10.0, i % 23 * 3 - 44);
    EXPECT_LT((d_w.select(1, i) - d_exact.select(1, i)).abs().max().item<double>(), 2e-5 * scale + 1e-36) << i;
  }
}

// A row of x on the grid that the kernel takes for it: from its lowest to its highest value in 255 steps.
at::Tensor on_grid(const at::Tensor& x_TI) {
  const at::Tensor low = x_TI.amin(1, true), step = (x_TI.amax(1, true) - low) / 255;
  return low + ((x_TI - low) / step).round() * step;
}

// A row of W in 255 steps around 0.
at::Tensor on_symmetric_grid(const at::Tensor& w_OI) {
  const at::Tensor step = w_OI.abs().amax(1, true) / 127;
  return (w_OI / step).round() * step;
}

TEST(Product, Int8IsExactOnWhatWasRounded) {
  if (!has_int8_products()) GTEST_SKIP() << "this processor or path has no AVX512-VNNI";
  Workspace workspace(at::kCPU);
  for (const Shape& shape : kShapes) {
    const std::string what =
        std::to_string(shape.tokens) + " x " + std::to_string(shape.in) + " x " + std::to_string(shape.out);
    const at::Tensor x = random_tensor({shape.tokens, shape.in}, at::kFloat, 1) + 0.25;
    const at::Tensor w = random_tensor({shape.out, shape.in}, at::kFloat, 2);
    const at::Tensor bias = random_tensor({shape.out}, at::kFloat, 3);
    const at::Tensor packed = pack_weight_int8(w, workspace);
    at::Tensor y = at::zeros({shape.tokens, shape.out}, at::kFloat);
    linear(x, {w, &packed, workspace}, bias, y);
    const at::Tensor rounded =
        at::mm(on_grid(x.to(at::kDouble)), on_symmetric_grid(w.to(at::kDouble)).t()) + bias.to(at::kDouble);
    // A value halfway between two steps may go either way in float.
    expect_close(y.to(at::kDouble), rounded, 2e-3, what);
    expect_close(y.to(at::kDouble), at::mm(x.to(at::kDouble), w.to(at::kDouble).t()) + bias, 3e-2,
                 what + " near float");
  }
  // A row of equal values, and a row of zeros of W.
  const at::Tensor same = at::zeros({2, 32}, at::kFloat) + 0.5, none = at::zeros({3, 32}, at::kFloat);
  at::Tensor y = at::zeros({2, 3}, at::kFloat);
  const at::Tensor packed = pack_weight_int8(none, workspace);
  linear(same, {none, &packed, workspace}, at::Tensor(), y);
  EXPECT_TRUE(y.equal(at::zeros({2, 3}, at::kFloat)));
}

// Also where they are not chosen.
TEST(Product, PairsOfBfloat16) {
  const kernels::Products<kernels::Bf16>* products = kernels::pair_products();
  if (products == nullptr) GTEST_SKIP() << "this processor or path has no AVX512-BF16";
  const auto bits = [](const at::Tensor& tensor) { return static_cast<const kernels::Bf16*>(tensor.data_ptr()); };
  for (const Shape& shape : kShapes) {
    const auto [rows, depth, columns] = shape;
    const std::string what = std::to_string(rows) + " x " + std::to_string(depth) + " x " + std::to_string(columns);
    const at::Tensor a = values({rows, depth}, at::kBFloat16, 1), b = values({columns, depth}, at::kBFloat16, 2);
    const at::Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble).t());
    const double tolerance = 1e-6 * static_cast<double>(depth);
    const int64_t panels = (columns + products->panel - 1) / products->panel;
    // Each panel behind the other, from a matrix that lies either way.
    for (bool transposed : {true, false}) {
      const at::Tensor matrix = transposed ? b : b.t().contiguous();
      const int64_t size = products->panel_size(depth), k = transposed ? 1 : columns, n = transposed ? depth : 1;
      std::vector<kernels::Bf16> packed(static_cast<size_t>(panels * size));
      for (int64_t p = 0; p < panels; ++p) {
        const int64_t first = p * products->panel;
        products->pack_panel(bits(matrix) + first * n, k, n, depth, std::min(products->panel, columns - first),
                             packed.data() + p * size);
      }
      const at::Tensor out = at::zeros({rows, columns});
      if (depth % products->depth_step == 0) {
        products->multiply(bits(a), depth, rows, packed.data(), depth, columns, out.data_ptr<float>(), columns);
        expect_close(out.to(at::kDouble), exact, tolerance, what);
        out.zero_();
      }
      if (transposed) continue;

      // The sums of A' B run along the rows of both.
      const at::Tensor lying = a.t().contiguous();
      const int64_t strips = (rows + products->strip - 1) / products->strip, strip = products->strip_size(depth);
      std::vector<kernels::Bf16> packed_a(static_cast<size_t>(strips * strip));
      for (int64_t s = 0; s < strips; ++s) {
        const int64_t first = s * products->strip;
        products->pack_strip(bits(lying) + first, rows, depth, std::min(products->strip, rows - first),
                             packed_a.data() + s * strip);
      }
      products->multiply_strips(packed_a.data(), rows, packed.data(), depth, columns, out.data_ptr<float>(), columns);
      products->multiply_strips(packed_a.data(), rows, packed.data(), depth, columns, out.data_ptr<float>(), columns);
      expect_close(out.to(at::kDouble), exact * 2, 2 * tolerance, what + ", twice");
    }
    const at::Tensor few = at::zeros({rows, columns});
    products->multiply_few(bits(a), depth, rows, bits(b), depth, columns, few.data_ptr<float>(), columns);
    expect_close(few.to(at::kDouble), exact, tolerance, what + ", not packed");
  }
}

// A depth that the kernels of bf16 do not take, and double: ATen's.
TEST(Product, FallsBackToATen) {
  EXPECT_FALSE(product::available(at::zeros({3, 32}, at::kDouble)));
  if (const auto* products = kernels::products<kernels::Bf16>(); products != nullptr) {
    EXPECT_TRUE(product::available(at::zeros({3, 64}, at::kBFloat16)));
    EXPECT_FALSE(product::available(at::zeros({3, 64 + products->depth_step / 2}, at::kBFloat16)));
  }
}

}  // namespace st::test
