#include "core/tape.h"

#include <algorithm>

namespace linnet {
namespace {

constexpr int kOffsetBits = 48;
constexpr uint64_t kMostOffset = (uint64_t{1} << kOffsetBits) - 1;
constexpr size_t kWord = sizeof(uint64_t);

uint64_t place_of(uintptr_t address, std::vector<Region>& regions) {
  if (address == 0) return 0;
  const auto after = std::upper_bound(
      regions.begin(), regions.end(), address,
      [](uintptr_t wanted, const Region& region) { return wanted < region.start; });
  if (after != regions.begin()) {
    Region& region = *(after - 1);
    const uint64_t offset = address - region.start;
    if (offset < region.bytes && offset <= kMostOffset) {
      region.used = true;
      return static_cast<uint64_t>(after - regions.begin()) << kOffsetBits | offset;
    }
  }
  throw std::invalid_argument("an address leads to no memory that is known");
}

}  // namespace

void Tape::put_address(uintptr_t address) {
  addresses_.push_back(words_.size());
  put_word(address);
}

void Tape::put_bytes(const void* data, size_t bytes) {
  put_word(bytes);
  const size_t start = words_.size();
  words_.resize(start + (bytes + kWord - 1) / kWord);
  if (bytes > 0) std::memcpy(words_.data() + start, data, bytes);
}

void Tape::cut(size_t size) {
  words_.resize(size);
  while (!addresses_.empty() && addresses_.back() >= size) addresses_.pop_back();
}

std::vector<uint64_t> Tape::placed(std::vector<Region>& regions) const {
  std::vector<uint64_t> words = words_;
  for (const size_t i : addresses_) words[i] = place_of(static_cast<uintptr_t>(words[i]), regions);
  return words;
}

uint64_t TapeReader::take_word() {
  if (at_ == end_) throw std::invalid_argument("a tape ends within a call");
  return *at_++;
}

uintptr_t TapeReader::take_address() {
  const uint64_t place = take_word();
  const uint64_t region = place >> kOffsetBits;
  if (region > bases_.size()) throw std::invalid_argument("a tape names a region too many");
  return region == 0 ? 0
                     : bases_[static_cast<size_t>(region - 1)] +
                           static_cast<uintptr_t>(place & kMostOffset);
}

const void* TapeReader::take_bytes(size_t& bytes) {
  bytes = static_cast<size_t>(take_word());
  const size_t words = bytes / kWord + (bytes % kWord != 0 ? 1 : 0);
  if (words > static_cast<size_t>(end_ - at_)) throw std::invalid_argument("a tape is cut");
  const void* data = at_;
  at_ += words;
  return data;
}

}  // namespace linnet
