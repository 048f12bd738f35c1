#include "ops/product.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>

#include <chrono>

namespace st::product {

namespace {

// Depth that is packed at once, of numbers in bfloat16 and in float. Its operands stay in the second and third cache.
constexpr int64_t kChunk = 384, kFloatChunk = 768;
// Of which a slice after the other is packed, so that its rows are read in one piece. A multiple of every depth step.
constexpr int64_t kSlice = 32;

template <typename S>
int64_t packed_size(const kernels::Products<S>& products, int64_t depth, int64_t columns) {
  return (columns + products.panel - 1) / products.panel * products.panel_size(depth);
}

template <typename S>
void pack_panels(const kernels::Products<S>& products, const S* from, int64_t k_stride, int64_t n_stride, int64_t depth,
                 int64_t columns, int64_t first, int64_t last, S* to) {
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t n = panel * products.panel;
    products.pack_panel(from + n * n_stride, k_stride, n_stride, depth, std::min(products.panel, columns - n),
                        to + panel * products.panel_size(depth));
  }
}

}  // namespace

namespace {

// Seconds of the fastest of some calls.
template <typename Work>
double fastest(const Work& work) {
  constexpr int kCalls = 5;
  double best = 0;
  for (int i = 0; i < kCalls; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (i == 0 || seconds < best) best = seconds;
  }
  return best;
}

// A product of the size of a small model's layer, by both. oneDNN may use tiles that this process does not: then it is
// several times faster. Where both use the same instruction they are near each other, and the own kernels do more in
// the same pass; so that the choice does not change from run to run, they may be a little slower.
bool measure_pairs(const kernels::Products<kernels::Bf16>& products) {
  constexpr int64_t kRows = 192, kWidth = 384;
  constexpr double kTolerated = 1.5;
  const at::NoGradGuard no_grad;
  const at::Tensor a = at::ones({kRows, kWidth}, at::kBFloat16), b = at::ones({kWidth, kWidth}, at::kBFloat16);
  at::Tensor out = at::empty({kRows, kWidth}, at::kBFloat16);
  std::vector<kernels::Bf16> panels(packed_size(products, kWidth, kWidth));
  pack_panels(products, data<kernels::Bf16>(b), 1, kWidth, kWidth, kWidth, 0, kWidth / products.panel, panels.data());
  const auto store = kernels::table<kernels::Bf16>().store_rows;
  const double own = fastest([&] {
    multiply(
        products, data<kernels::Bf16>(a), kRows, kWidth, panels.data(), kWidth, nullptr, [](int64_t, int64_t) {},
        [&](int64_t, int64_t begin, int64_t end, const float* sums) {
          store(end - begin, kWidth, sums, nullptr, false, data<kernels::Bf16>(out) + begin * kWidth);
        });
  });
  return own <= kTolerated * fastest([&] { at::mm_out(out, a, b.t()); });
}

}  // namespace

const kernels::Products<kernels::Bf16>* faster_pairs() {
  static const kernels::Products<kernels::Bf16>* const kChosen = [] {
    const kernels::Products<kernels::Bf16>* products = kernels::pair_products();
    return products != nullptr && measure_pairs(*products) ? products : nullptr;
  }();
  return kChosen;
}

bool available(const at::Tensor& x_TI) {
  if (!has_kernels(x_TI) || x_TI.scalar_type() == at::kDouble) return false;
  const int64_t rows = x_TI.size(0), depth = x_TI.size(1);
  return x_TI.scalar_type() == at::kFloat ? kernels_for<float>(rows, depth) != nullptr
                                          : kernels_for<kernels::Bf16>(rows, depth) != nullptr;
}

at::Tensor pack(const at::Tensor& matrix, bool transposed, int64_t rows, Workspace& workspace) {
  const int64_t depth = matrix.size(transposed ? 1 : 0), columns = matrix.size(transposed ? 0 : 1);
  at::Tensor out;
  with_storage(matrix.scalar_type(), [&]<typename S>(S) {
    if constexpr (!std::is_same_v<S, double>) {
      const kernels::Products<S>& products = *kernels_for<S>(rows, depth);
      const int64_t size = packed_size(products, depth, columns);
      out = workspace.take({size}, matrix.scalar_type());
      const int64_t k_stride = transposed ? 1 : columns, n_stride = transposed ? depth : 1;
      const int64_t panels = (columns + products.panel - 1) / products.panel;
      parallel_ranges(panels, parallel_parts(panels, 1), [&](int64_t, int64_t first, int64_t last) {
        pack_panels(products, data<S>(matrix), k_stride, n_stride, depth, columns, first, last, data<S>(out));
      });
    }
  });
  return out;
}

at::Tensor pack_small(const at::Tensor& matrix_KN, Workspace& workspace) {
  const kernels::Products<float>& products = *kernels::products<float>();
  const int64_t depth = matrix_KN.size(0), columns = matrix_KN.size(1);
  at::Tensor out = workspace.take({packed_size(products, depth, columns)}, at::kFloat);
  pack_panels(products, data<float>(matrix_KN), matrix_KN.stride(0), matrix_KN.stride(1), depth, columns, 0,
              (columns + products.panel - 1) / products.panel, data<float>(out));
  return out;
}

namespace {

// Each thread computes a rectangle of out, and packs its own operands.
template <typename S>
void add_transposed_alone(const kernels::Products<S>& products, const at::Tensor& a_TM, const at::Tensor& b_TN,
                          at::Tensor out_MN, Workspace& workspace) {
  constexpr int64_t kLeastStrips = 16;  // of a thread, for each of which it packs all of B
  const int64_t tokens = a_TM.size(0), rows = a_TM.size(1), columns = b_TN.size(1);
  const int64_t strips = (rows + products.strip - 1) / products.strip;
  const int64_t panels = (columns + products.panel - 1) / products.panel;
  const int64_t row_parts = parallel_parts(strips, kLeastStrips);
  const int64_t column_parts = std::min(panels, at::get_num_threads() / row_parts);
  const int64_t parts = row_parts * column_parts, scratch_size = products.transposed_scratch(tokens);
  const Scratch scratch(workspace);
  S* memory = data<S>(workspace.take({parts * scratch_size}, a_TM.scalar_type()));
  parallel_ranges(parts, parts, [&](int64_t part, int64_t, int64_t) {
    const int64_t i = part / column_parts, j = part % column_parts;
    const int64_t row = strips * i / row_parts * products.strip, column = panels * j / column_parts * products.panel;
    const int64_t row_end = std::min(rows, strips * (i + 1) / row_parts * products.strip);
    const int64_t column_end = std::min(columns, panels * (j + 1) / column_parts * products.panel);
    products.add_transposed(data<S>(a_TM) + row, rows, row_end - row, data<S>(b_TN) + column, columns, tokens,
                            column_end - column, data<float>(out_MN) + row * columns + column, columns,
                            memory + part * scratch_size);
  });
}

// The threads pack together, chunk by chunk.
template <typename S>
void add_transposed_together(const kernels::Products<S>& products, const at::Tensor& a_TM, const at::Tensor& b_TN,
                             at::Tensor out_MN, Workspace& workspace) {
  const int64_t tokens = a_TM.size(0), rows = a_TM.size(1), columns = b_TN.size(1);
  constexpr int64_t kMost = sizeof(S) == 2 ? kChunk : kFloatChunk;
  const int64_t chunks = (tokens + kMost - 1) / kMost;
  const int64_t chunk = ((tokens + chunks - 1) / chunks + kLeastRows - 1) / kLeastRows * kLeastRows;
  const int64_t strips = (rows + products.strip - 1) / products.strip;
  const int64_t panels = (columns + products.panel - 1) / products.panel;
  const Scratch scratch(workspace);
  S* packed_a = data<S>(workspace.take({strips * products.strip_size(chunk)}, a_TM.scalar_type()));
  S* packed_b = data<S>(workspace.take({packed_size(products, chunk, columns)}, a_TM.scalar_type()));
  for (int64_t begin = 0; begin < tokens; begin += chunk) {
    const int64_t depth = std::min(chunk, tokens - begin);
    const int64_t strip_size = products.strip_size(depth), panel_size = products.panel_size(depth);
    const S *a = data<S>(a_TM) + begin * rows, *b = data<S>(b_TN) + begin * columns;
    const int64_t parts = parallel_parts(depth, kLeastRows);
    parallel_ranges(parts, parts, [&](int64_t part, int64_t, int64_t) {
      for (int64_t k = 0; k < depth; k += kSlice) {
        const int64_t slice = std::min(kSlice, depth - k);
        for (int64_t strip = strips * part / parts; strip < strips * (part + 1) / parts; ++strip) {
          const int64_t row = strip * products.strip;
          products.pack_strip(a + k * rows + row, rows, slice, std::min(products.strip, rows - row),
                              packed_a + strip * strip_size + products.strip_size(k));
        }
        for (int64_t panel = panels * part / parts; panel < panels * (part + 1) / parts; ++panel) {
          const int64_t column = panel * products.panel;
          products.pack_panel(b + k * columns + column, columns, 1, slice, std::min(products.panel, columns - column),
                              packed_b + panel * panel_size + products.panel_size(k));
        }
      }
    });
    parallel_ranges(strips, parallel_parts(strips, 2), [&](int64_t, int64_t first, int64_t last) {
      const int64_t row = first * products.strip;
      products.multiply_strips(packed_a + first * strip_size, std::min(rows, last * products.strip) - row, packed_b,
                               depth, columns, data<float>(out_MN) + row * columns, columns);
    });
  }
}

}  // namespace

void add_transposed(const at::Tensor& a_TM, const at::Tensor& b_TN, at::Tensor out_MN, Workspace& workspace) {
  with_storage(a_TM.scalar_type(), [&]<typename S>(S) {
    if constexpr (!std::is_same_v<S, double>) {
      // Sums run along the rows, which need not fill tiles.
      constexpr int64_t kWholeTiles = 16 * kLeastDepth;
      const kernels::Products<S>& products = *kernels_for<S>(a_TM.size(0), kWholeTiles);
      const bool alone = products.add_transposed != nullptr;
      (alone ? add_transposed_alone<S> : add_transposed_together<S>)(products, a_TM, b_TN, out_MN, workspace);
    }
  });
}

void add_narrow(const at::Tensor& a_MK, const at::Tensor& b_KN, at::Tensor out_MN) {
  const kernels::Products<float>* products = kernels::products<float>();
  if (products == nullptr || !a_MK.is_cpu() || a_MK.scalar_type() != at::kFloat) {
    out_MN.addmm_(a_MK, b_KN);
    return;
  }
  const int64_t rows = out_MN.size(0), columns = out_MN.size(1), depth = a_MK.size(1);
  const auto add = [&](int64_t row, int64_t row_end, int64_t column, int64_t column_end) {
    products->add_product(data<float>(a_MK) + row * a_MK.stride(0), a_MK.stride(0), a_MK.stride(1), row_end - row,
                          data<float>(b_KN) + column * b_KN.stride(1), b_KN.stride(0), b_KN.stride(1), depth,
                          column_end - column, data<float>(out_MN) + row * out_MN.stride(0) + column, out_MN.stride(0));
  };
  if (rows >= columns) {
    const int64_t strips = (rows + products->strip - 1) / products->strip;
    parallel_ranges(strips, parts(rows), [&](int64_t, int64_t first, int64_t last) {
      add(first * products->strip, std::min(rows, last * products->strip), 0, columns);
    });
  } else {
    const int64_t panels = (columns + products->panel - 1) / products->panel;
    parallel_ranges(panels, parallel_parts(panels, 1), [&](int64_t, int64_t first, int64_t last) {
      add(0, rows, first * products->panel, std::min(columns, last * products->panel));
    });
  }
}

void Int8::multiply(const float* a, int64_t a_stride, int64_t rows, const uint8_t* panels, int64_t depth,
                    int64_t columns, float* out, int64_t out_stride) const {
  kernels.multiply(a, a_stride, rows, panels, depth, columns, out, out_stride,
                   thread_scratch<uint8_t>(kernels.scratch_size(rows, depth)));
}

at::Tensor pack_int8(const at::Tensor& matrix, Workspace& workspace) {
  const kernels::Int8Products& products = *kernels::int8_products();
  const int64_t columns = matrix.size(0), depth = matrix.size(1);
  const int64_t panels = (columns + products.panel - 1) / products.panel, size = products.panel_size(depth);
  at::Tensor out = workspace.take({panels * size}, at::kByte);
  parallel_ranges(panels, parallel_parts(panels, 1), [&](int64_t, int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) {
      const int64_t n = panel * products.panel;
      products.pack_panel(data<float>(matrix) + n * depth, depth, depth, std::min(products.panel, columns - n),
                          data<uint8_t>(out) + panel * size);
    }
  });
  return out;
}

}  // namespace st::product
