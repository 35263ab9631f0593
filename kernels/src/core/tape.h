// The calls that filled a program, so that a later process can fill one alike.
//
// A tape is a sequence of 64-bit words: for each call the method's number, then its arguments in
// order. Which arguments are addresses shows in the methods' signatures: those of type uintptr_t.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace linnet {

// A piece of memory that addresses lead to.
struct Region {
  uintptr_t start;
  uint64_t bytes;
  bool used = false;
};

template <class T>
struct Taped;

class Tape {
 public:
  template <class T>
  void put(const T& value) {
    Taped<T>::put(*this, value);
  }

  void put_word(uint64_t word) { words_.push_back(word); }
  void put_address(uintptr_t address);
  void put_bytes(const void* data, size_t bytes);

  size_t size() const { return words_.size(); }
  // Forgets what was put after there were `size` words.
  void cut(size_t size);

  // The words with addresses as places: the region's index from 1, then the offset within it; 0
  // where there is none. Regions are in the order of their starts and apart from each other; those
  // that an address leads to are marked as used. Throws std::invalid_argument for an address that
  // none of them holds.
  std::vector<uint64_t> placed(std::vector<Region>& regions) const;

 private:
  std::vector<uint64_t> words_;
  std::vector<size_t> addresses_;  // which words are
};

// Reads what `Tape::placed` gave; throws std::invalid_argument at its end.
class TapeReader {
 public:
  TapeReader(const uint64_t* words, size_t count, const std::vector<uintptr_t>& bases)
      : at_(words), end_(words + count), bases_(bases) {}

  template <class T>
  T take() {
    return Taped<T>::take(*this);
  }

  bool ended() const { return at_ == end_; }
  // Words.
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  uint64_t take_word();
  uintptr_t take_address();
  // The bytes lie in the tape, at a multiple of 8.
  const void* take_bytes(size_t& bytes);

 private:
  const uint64_t* at_;
  const uint64_t* end_;
  const std::vector<uintptr_t>& bases_;
};

// Numbers, and names that are numbers.
template <class T>
struct Taped {
  static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>, "no way to store this type");
  static void put(Tape& tape, T value) {
    uint64_t word = 0;
    if constexpr (std::is_same_v<T, uintptr_t>) {
      return tape.put_address(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      const double wide = value;
      std::memcpy(&word, &wide, sizeof word);
    } else {
      word = static_cast<uint64_t>(static_cast<int64_t>(value));
    }
    tape.put_word(word);
  }
  static T take(TapeReader& reader) {
    if constexpr (std::is_same_v<T, uintptr_t>) {
      return reader.take_address();
    } else {
      const uint64_t word = reader.take_word();
      if constexpr (std::is_floating_point_v<T>) {
        double wide;
        std::memcpy(&wide, &word, sizeof wide);
        return static_cast<T>(wide);
      } else {
        return static_cast<T>(static_cast<int64_t>(word));
      }
    }
  }
};

template <>
struct Taped<std::string> {
  static void put(Tape& tape, const std::string& text) { tape.put_bytes(text.data(), text.size()); }
  static std::string take(TapeReader& reader) {
    size_t size = 0;
    const void* data = reader.take_bytes(size);
    return std::string(static_cast<const char*>(data), size);
  }
};

template <class A, class B>
struct Taped<std::pair<A, B>> {
  static void put(Tape& tape, const std::pair<A, B>& both) {
    tape.put(both.first);
    tape.put(both.second);
  }
  static std::pair<A, B> take(TapeReader& reader) {
    A first = reader.take<A>();
    return {std::move(first), reader.take<B>()};
  }
};

template <class T, size_t N>
struct Taped<std::array<T, N>> {
  static void put(Tape& tape, const std::array<T, N>& values) {
    for (const T& value : values) tape.put(value);
  }
  static std::array<T, N> take(TapeReader& reader) {
    std::array<T, N> values{};
    for (T& value : values) value = reader.take<T>();
    return values;
  }
};

template <class T>
struct Taped<std::vector<T>> {
  static void put(Tape& tape, const std::vector<T>& values) {
    tape.put_word(values.size());
    for (size_t i = 0; i < values.size(); ++i) tape.put(static_cast<T>(values[i]));
  }
  static std::vector<T> take(TapeReader& reader) {
    const uint64_t count = reader.take_word();
    std::vector<T> values;
    values.reserve(static_cast<size_t>(std::min<uint64_t>(count, reader.left())));
    for (uint64_t i = 0; i < count; ++i) values.push_back(reader.take<T>());
    return values;
  }
};

}  // namespace linnet
